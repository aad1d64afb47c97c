//! A valid token that stands in the URL alone, `?token=…`, does not connect.
//!
//! URLs are written to the logs of servers and proxies, and kept in histories; the CONNECT payload is not. The token is
//! given as every parameter that servers are known to look at, and the CONNECT has no payload. A handshake that is
//! refused because of it is as good.

use super::REFUSAL;
use crate::{
    catalogue::{Check, Effort, Isolation, Need, Wait, cite},
    contract::Carrier,
    fault::Fault,
    probe::{Answer, Probe, Stop, Verdict, fail},
    verdict::{Level, Row},
    wire::{Heartbeats, WireError},
};

pub const CHECK: Check = Check {
    id: "auth.query-token",
    title: "A token in the URL alone does not connect",
    level: Level::Should,
    row: Row::C4,
    cites: &[cite::RFC6750_5_3, cite::CWE_598, cite::SIO_CREDENTIALS],
    needs: &[Need::Token, Need::Refusals],
    requires: &["auth.rejection-in-time", "auth.valid-token", "auth.missing-token"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "Clients may send tokens where logs keep them. Anyone who can read the proxy's log can act as any user \
              whose token is in it.",
    fix: "Read `socket.handshake.auth.token` alone, without `?? socket.handshake.query.token`; and let clients send it by \
          `io({ auth: { token } })`, not by `query`.",
    effort: Effort::Minutes,
    faults: &[Fault::AcceptsQueryToken],
    run: |probe| Box::pin(run(probe)),
};

async fn run(probe: &Probe) -> Verdict {
    if probe.tokens().carrier() == Carrier::Query {
        return Err(Stop::Skip("the contract declares that the query carries the token (auth.carrier)".into()));
    }
    let token = probe.valid_token(&probe.user("a")).await?;
    let mut names = vec![probe.contract().auth.token_field.as_str(), "token", "access_token"];
    names.sort_unstable();
    names.dedup();
    let query: Vec<(String, String)> = names.iter().map(|name| ((*name).to_owned(), token.clone())).collect();
    for transport in probe.transports() {
        let endpoint = probe.endpoint_of_nobody(transport.name()).with_query(query.clone());
        let mut client = match probe.open_at(endpoint, transport, Heartbeats::Answered).await {
            Ok(client) => client,
            Err(WireError::Status { response, .. }) if matches!(response.status, 400 | 401 | 403) => {
                probe.served(transport).await?;
                probe.note(say!(
                    "the handshake over {transport} is refused for it: HTTP {status}",
                    transport,
                    status = response.status
                ));
                continue;
            }
            Err(error) => {
                return Err(Stop::Broken(say!(
                    "no {transport} session with a token in the URL: {error}",
                    transport,
                    error
                )));
            }
        };
        client.ask(probe).await?;
        match client.connect(None).await? {
            answer @ Answer::Connected(_) => {
                return fail(say!("A token in the URL alone connects over {transport}", transport))
                    .sent(say!("a handshake with ?{names}=‹valid token›, then 40", names = names.join("=…&")))
                    .received(answer)
                    .expected(REFUSAL)
                    .stop();
            }
            Answer::Refused(_) | Answer::Closed(_) | Answer::Shut(_) => {}
            answer @ (Answer::Silence(_) | Answer::Cut(_)) => {
                return Err(Stop::Broken(say!(
                    "over {transport}: {answer} (see auth.rejection-in-time)",
                    transport,
                    answer
                )));
            }
        }
    }
    super::admits(probe).await
}
