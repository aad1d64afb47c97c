//! What a run without a URL checks: reference servers, so many of them that each check finds one that can show it.
//!
//! One server cannot be everything at once. It has one kind of key, offers recovery or does not, is one node or two; what
//! disturbs all else on it has to come last; and a session without a CONNECT must live long for one check and end soon for
//! another. So there are several, side by side, and a check runs where it can be judged.

use std::time::Duration;

use url::Url;

use super::{ServerArgs, Trouble};
use crate::{
    catalogue::{self, Check, Effect, Isolation, Wait},
    contract::{Contract, Layers, Reload, ReloadAction, Secret, TokenSource},
    lag::Lag,
    mock::{Authority, Cluster, Options, ReferenceServer, Variant},
    redact::Redactor,
    runner::{Plan, Runner},
    verdict::ExitCode,
};

/// How long the reference server waits for a CONNECT where that is what a check looks at.
const SOON: Duration = Duration::from_secs(1);

/// A part of the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// One server, for all that gets along.
    Main,
    /// One for what disturbs everything else.
    Alone,
    /// One for what does so by sending much.
    Crowded,
    /// One that does not wait long for a CONNECT.
    Impatient,
    /// One that has a public key.
    PublicKey,
    /// One that recovers connections.
    Recovery,
    /// One that speaks TLS.
    Tls,
    /// Two nodes.
    Cluster,
}

impl Part {
    const ALL: [Part; 8] = [
        Part::Main,
        Part::Alone,
        Part::Crowded,
        Part::Impatient,
        Part::PublicKey,
        Part::Recovery,
        Part::Tls,
        Part::Cluster,
    ];

    /// Where a check can be judged.
    fn of(check: &Check) -> Part {
        let shows = |variant: Variant| check.faults.iter().any(|fault| fault.variant() == variant);
        if shows(Variant::Plain) {
            match (check.isolation, check.wait) {
                (Isolation::Alone, _) if check.effects.contains(&Effect::Heavy) => Part::Crowded,
                (Isolation::Alone | Isolation::Last, _) => Part::Alone,
                (_, Wait::ConnectTimeout) => Part::Impatient,
                _ => Part::Main,
            }
        } else if shows(Variant::PublicKey) {
            Part::PublicKey
        } else if shows(Variant::Recovery) {
            Part::Recovery
        } else if shows(Variant::Cluster) {
            Part::Cluster
        } else if shows(Variant::Tls) {
            Part::Tls
        } else {
            Part::Main
        }
    }

    fn options(self, args: &ServerArgs) -> Options {
        let mut options = args.short_options();
        if options.faults.iter().any(|fault| fault.variant() == Variant::InPlace) {
            options = options.with_variant(Variant::InPlace);
        }
        match self {
            Part::Main | Part::Alone | Part::Crowded | Part::Cluster | Part::Tls => options,
            Part::Impatient => Options { connect_timeout: args.connect_timeout.unwrap_or(SOON), ..options },
            Part::PublicKey => options.with_variant(Variant::PublicKey),
            Part::Recovery => options.with_variant(Variant::Recovery),
        }
    }
}

/// The reference servers of a run. Dropping them ends them.
pub struct Reference {
    servers: Vec<ReferenceServer>,
}

impl Reference {
    /// Stops all of them.
    pub async fn stop(self) {
        futures::future::join_all(self.servers.into_iter().map(ReferenceServer::stop)).await;
    }
}

/// What a run of the reference server is about.
pub struct Request<'a> {
    /// The flags about the server.
    pub server: &'a ServerArgs,
    /// The contract of the main part, as it was loaded.
    pub contract: Contract,
    /// The contract's flags, to load it for the other parts.
    pub flags: Vec<(&'static str, String)>,
    /// Whether the contract is the server's own: a user's own fits one server, and all checks run there.
    pub is_own_contract: bool,
    /// The checks to run.
    pub checks: Vec<&'static Check>,
    /// As in [`Plan`].
    pub jobs: usize,
    /// As in [`Plan`].
    pub max_wait: Option<Duration>,
    /// As in [`Plan`].
    pub rate: Option<f64>,
    /// As [`Plan::flags`].
    pub reproduction: Vec<String>,
    /// What keeps secrets out of every output.
    pub redactor: &'a Redactor,
}

/// Starts what the checks need, and makes ready to run them there.
pub async fn start(request: Request<'_>) -> Result<(Reference, Vec<Runner>), Trouble> {
    let lag = Lag::watch();
    let mut servers = Vec::new();
    let mut runners = Vec::new();
    // A key of the user's own is the main server's.
    let has_own_tokens = request.flags.iter().any(|(key, _)| key.starts_with("auth."));
    let part_of = |check: &Check| match Part::of(check) {
        _ if !request.is_own_contract => Part::Main,
        Part::PublicKey if has_own_tokens => Part::Main,
        part => part,
    };
    for part in Part::ALL {
        let mut checks: Vec<_> = request.checks.iter().copied().filter(|check| part_of(check) == part).collect();
        if checks.is_empty() {
            continue;
        }
        let judged: Vec<&str> = checks.iter().map(|check| check.id).collect();
        add_requirements(&mut checks, &request.checks);
        let unjudged = checks.iter().map(|check| check.id).filter(|id| !judged.contains(id)).collect();
        let options = part.options(request.server);
        let mut contract = match part {
            _ if !request.is_own_contract => request.contract.clone(),
            _ => load(&options, request.flags.clone())?,
        };
        let cluster = Cluster::default();
        let options = if part == Part::Cluster { options.with_cluster(&cluster) } else { options };
        let options = if part == Part::Tls { with_tls(options, &mut contract)? } else { options };
        let server = start_server(options.clone(), &mut contract).await?;
        if part == Part::Cluster {
            let second = start_server(options, &mut contract).await?;
            contract.nodes = vec![second.url().to_owned()];
            servers.push(second);
        }
        let plan = Plan {
            origin: Url::parse(server.url()).expect("the reference server knows its URL"),
            reference: true,
            contract,
            checks,
            unjudged,
            jobs: request.jobs,
            max_wait: request.max_wait,
            rate: request.rate,
            flags: request.reproduction.clone(),
        };
        servers.push(server);
        let runner = Runner::beside(plan, request.redactor.clone(), lag.clone()).await;
        runners.push(runner.map_err(|untestable| super::run::untestable(&untestable, request.redactor))?);
    }
    Ok((Reference { servers }, runners))
}

/// Has the server speak TLS with a certificate made for it, and the contract trust whoever gave it that.
fn with_tls(options: Options, contract: &mut Contract) -> Result<Options, Trouble> {
    let authority = Authority::new().map_err(|error| {
        Trouble::new(ExitCode::OwnFault, format!("no certificate can be made for the reference server: {error}"))
    })?;
    contract.authorities = Some(authority.root);
    Ok(options.with_tls(authority.server))
}

/// Adds what these checks rest on, of those that are to be run at all.
fn add_requirements(checks: &mut Vec<&'static Check>, all: &[&'static Check]) {
    let mut open: Vec<&str> = checks.iter().flat_map(|check| check.requires).copied().collect();
    while let Some(id) = open.pop() {
        if let Some(check) = all.iter().find(|check| check.id == id)
            && !checks.iter().any(|known| known.id == id)
        {
            checks.push(check);
            open.extend(check.requires);
        }
    }
    let place = |check: &&Check| catalogue::all().position(|entry| entry.check.id == check.id);
    checks.sort_by_key(place);
}

fn load(options: &Options, flags: Vec<(&'static str, String)>) -> Result<Contract, Trouble> {
    let file = Some((super::run::REFERENCE_CONTRACT.into(), options.contract()));
    Ok(Contract::load(Layers { file, env: crate::contract::environment().chain(options.variables()), flags })?)
}

/// Starts a reference server as the contract has it, and lets the contract know what only that server knows.
async fn start_server(mut options: Options, contract: &mut Contract) -> Result<ReferenceServer, Trouble> {
    options.issuer = contract.auth.issuer.clone();
    options.audience = contract.auth.audience.clone();
    options.carrier = super::serve::carrier(contract.auth.carrier.name());
    options.token_field.clone_from(&contract.auth.token_field);
    options.rest_credentials = contract.rest.as_ref().is_some_and(|rest| rest.needs_token());
    match &contract.auth.source {
        Some(TokenSource::Secret(secret)) => options.jwt_secret = secret.expose().to_owned(),
        Some(_) => {}
        None => contract.auth.source = Some(TokenSource::Secret(Secret::new(&options.jwt_secret))),
    }
    let keeps_connections = options.reloads_in_place;
    let server = ReferenceServer::start(options).await.map_err(|error| {
        Trouble::new(ExitCode::OwnFault, format!("the reference server cannot be started: {error}"))
    })?;
    if contract.reload.is_none() {
        let url = Url::parse(&format!("{}/__siospec/reload", server.url())).expect("a URL of ours");
        let action = ReloadAction::Http { method: http::Method::POST, url };
        contract.reload = Some(Reload { action, deadline: Duration::from_secs(10), keeps_connections });
    }
    Ok(server)
}
