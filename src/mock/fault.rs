//! The deviations that the reference server can be told to commit.
//!
//! Each is one small, named departure from a correct deployment, and exists because a check claims to find it. The
//! fault matrix test proves that claim for every pair of fault and check.

use std::{fmt, str::FromStr};

/// Declares [`Fault`] with a kebab-case name and a one-line description for each variant, so that neither can be
/// forgotten.
macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// One deviation of the reference server.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Fault {
            /// Every fault, in the order in which `siospec faults` lists them.
            pub const ALL: &[Fault] = &[$(Fault::$variant),+];

            /// The kebab-case name, as given to `siospec serve --fault`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Fault::$variant => $name,)+
                }
            }

            /// What the faulty server does, as one sentence.
            pub const fn description(self) -> &'static str {
                match self {
                    $(Fault::$variant => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

faults! {
    // The handshake, the path, the port.

    /// The polling handshake is answered as `application/json` instead of `text/plain`.
    HandshakeWrongContentType = "handshake-wrong-content-type",
    /// Polling is not served: every polling request is answered 404 with the web application's HTML page.
    NoPolling = "no-polling",
    /// The polling handshake is redirected (307) to another path.
    RedirectsHandshake = "redirects-handshake",
    /// The open packet lacks `pingTimeout`.
    OpenPacketMissingField = "open-packet-missing-field",
    /// The open packet carries `pingInterval` as a string.
    OpenPacketWrongType = "open-packet-wrong-type",
    /// A WebSocket handshake gets 101 and then nothing, not even the open packet.
    WebsocketSilent = "websocket-silent",
    /// The page at `/` is a redirect to another port.
    RedirectsPage = "redirects-page",
    /// There is no page: `/` answers 404.
    NoPage = "no-page",
    /// An upgrade's `2probe` gets no `3probe`.
    ProbeUnanswered = "probe-unanswered",
    /// The poll that is pending during an upgrade is never released.
    PollNotReleased = "poll-not-released",
    /// The first message sent to the client after an upgrade is lost.
    UpgradeLosesMessage = "upgrade-loses-message",
    /// The polling handshake offers no upgrade.
    NoUpgradeOffered = "no-upgrade-offered",
    /// The Engine.IO handshake is also answered at `/api/socket.io` (polling) and `/api/ws` (upgrade).
    SocketInApi = "socket-in-api",
    /// Session ids are a fixed prefix and a counter.
    SequentialSid = "sequential-sid",
    /// Session ids have eight characters.
    ShortSid = "short-sid",
    /// Two handshakes by the very same URL get the same answer, as through a cache.
    CachedHandshake = "cached-handshake",
    /// The handshake answer says `Cache-Control: public, max-age=60`.
    CacheableHandshake = "cacheable-handshake",
    /// The path without its trailing slash answers 500.
    NoSlashCrashes = "no-slash-crashes",
    /// `socket.io.js` below the path is the page's HTML with status 200.
    BundleIsPage = "bundle-is-page",
    /// An upgrade on a path that nobody serves gets 101 and is then left hanging.
    HangsForeignUpgrade = "hangs-foreign-upgrade",

    // Engine.IO: requests and packets.

    // Engine.IO: heartbeats, limits, order.

    /// Sessions on polling get no heartbeat.
    NoHeartbeatOnPolling = "no-heartbeat-on-polling",
    /// Sessions on WebSocket get no heartbeat.
    NoHeartbeatOnWebsocket = "no-heartbeat-on-websocket",
    /// The answer to a heartbeat does not count: the session is closed as if none had come.
    IgnoresPongs = "ignores-pongs",
    /// One more heartbeat is sent right after the open packet.
    PingsAtOnce = "pings-at-once",
    /// A session without a CONNECT is never closed for that.
    NoConnectTimeout = "no-connect-timeout",
    /// Messages larger than `maxPayload` are taken on both transports.
    NoPayloadLimit = "no-payload-limit",
    /// Messages of more than three quarters of `maxPayload` are refused as too large.
    LimitsBelowMaxPayload = "limits-below-max-payload",
    /// A message to the client of more than three quarters of `maxPayload` ends its session.
    CannotSendLargeMessages = "cannot-send-large-messages",
    /// Characters outside the first 65,536 that a client sends are replaced by U+FFFD.
    ManglesAstral = "mangles-astral",
    /// The body of a POST is read as Latin-1.
    ReadsPostsAsLatin1 = "reads-posts-as-latin1",
    /// The last byte of binary data that comes by polling is lost.
    ShortensBase64 = "shortens-base64",
    /// The packets of a POST are dealt with in reverse order if there are more than fifty.
    ReversesLargePosts = "reverses-large-posts",
    /// Of more than 150 messages that a client sends within ten seconds, the rest is lost.
    LosesBursts = "loses-bursts",
    /// The last message sent by polling before an upgrade is sent again after it.
    RepeatsMessageAfterUpgrade = "repeats-message-after-upgrade",

    // Tokens in the CONNECT payload.

    /// A valid token is refused.
    RejectsValidToken = "rejects-valid-token",
    /// A CONNECT without any token (no payload, or a payload without the field) is accepted.
    AcceptsMissingToken = "accepts-missing-token",
    /// A CONNECT without any token is accepted over WebSocket, and only there.
    AcceptsMissingTokenOnWebsocket = "accepts-missing-token-on-websocket",
    /// The empty string is accepted as a token.
    AcceptsEmptyToken = "accepts-empty-token",
    /// A token that is not a JWT (a string other than empty that does not parse) is accepted.
    AcceptsMalformedToken = "accepts-malformed-token",
    /// A token that does not parse as a JWT takes the connection down without an answer.
    DropsMalformedToken = "drops-malformed-token",
    /// A token that is not a string (null, number, boolean, object, array) is accepted.
    AcceptsNonStringToken = "accepts-non-string-token",
    /// A token that is not a string takes the connection down without an answer.
    DropsNonStringToken = "drops-non-string-token",
    /// The token is decoded and never verified: any signature that is there passes.
    AcceptsAnySignature = "accepts-any-signature",
    /// A token with an empty signature passes as if it were signed.
    AcceptsStrippedSignature = "accepts-stripped-signature",
    /// A token whose header says `alg: none`, in any letter case, passes without a signature.
    AcceptsUnsignedToken = "accepts-unsigned-token",
    /// `exp` is not looked at.
    AcceptsExpiredToken = "accepts-expired-token",
    /// The CONNECT_ERROR payload is a bare string.
    RejectsWithString = "rejects-with-string",
    /// The CONNECT_ERROR message holds a stack trace.
    RejectsWithStackTrace = "rejects-with-stack-trace",
    /// A bad token closes the connection instead of getting a CONNECT_ERROR.
    ClosesOnRejection = "closes-on-rejection",
    /// A bad token gets no answer at all.
    HangsOnRejection = "hangs-on-rejection",
    /// A connection whose CONNECT was refused still receives every broadcast.
    RejectedStillHears = "rejected-still-hears",
    /// A connection whose CONNECT was refused still has its events handled.
    RejectedStillHandled = "rejected-still-handled",

    // Socket.IO.

    /// The CONNECT reply has no `sid`.
    ConnectReplyWithoutSid = "connect-reply-without-sid",
    /// Each CONNECT gets two CONNECT replies.
    DoubleConnectReply = "double-connect-reply",

    // Events.

    /// `ping` gets no `pong`.
    NoPong = "no-pong",
    /// `ping` gets two `pong`s.
    DoublePong = "double-pong",
    /// `pong` is emitted to every connected client.
    BroadcastsPong = "broadcasts-pong",
    /// Event handlers are registered after the CONNECT reply: if the next packet from the client is an event, it is lost.
    LateHandlers = "late-handlers",

    // Rooms.

    /// A message to a room reaches nobody.
    RoomDeliversNothing = "room-delivers-nothing",
    /// A message to a room reaches every connected client.
    RoomBroadcastsToAll = "room-broadcasts-to-all",
    /// A message to a room also goes to every other room its sender is in.
    RoomsRunTogether = "rooms-run-together",
    /// `leave_room` does nothing.
    LeaveDoesNothing = "leave-does-nothing",
    /// `leave_room` leaves every room.
    LeaveLeavesAll = "leave-leaves-all",
    /// A user's rooms are restored on the next connection, without a join.
    RoomsSurviveDisconnect = "rooms-survive-disconnect",
    /// Joining twice delivers twice.
    JoinTwiceDeliversTwice = "join-twice-delivers-twice",
    /// Members on polling receive no room messages.
    RoomSkipsPolling = "room-skips-polling",

    /// A client is in a room named by its own socket id, which others can join: rooms that users name are not kept apart
    /// from those.
    SocketIdsAreRooms = "socket-ids-are-rooms",

    // The REST trigger.

    /// The REST route is not there: it answers with the page's HTML and status 200.
    RestAnswersPage = "rest-answers-page",
    /// The REST route answers `{"success":false}` with status 200, and emits.
    RestAnswersFailure = "rest-answers-failure",
    /// The REST route answers and emits nothing.
    RestEmitsNothing = "rest-emits-nothing",
    /// The REST route emits everything twice.
    RestEmitsTwice = "rest-emits-twice",
    /// The notification does not carry the call's message.
    RestWrongPayload = "rest-wrong-payload",
    /// Clients on polling get no notification.
    RestSkipsPolling = "rest-skips-polling",
    /// The notification also goes to connections that never sent a CONNECT for the namespace `/`.
    RestEmitsBeforeConnect = "rest-emits-before-connect",

    // Reconnects and reloads.

    /// A session lives on for ever after its client is gone: no cut poll, overlapping poll or missed pong ends it.
    KeepsDeadSessions = "keeps-dead-sessions",
    /// The handlers of a user whose connection dropped are registered once more on each new connection: n pongs.
    HandlersPileUp = "handlers-pile-up",
    /// As `handlers-pile-up`, but only after a clean disconnect.
    HandlersPileUpAfterDisconnect = "handlers-pile-up-after-disconnect",
    /// Each reconnect of a user adds one more subscription to notifications.
    NotificationsPileUp = "notifications-pile-up",
    /// Each reconnect of a user adds one more delivery of every room message.
    RoomDeliveriesPileUp = "room-deliveries-pile-up",
    /// Each reconnect of a user adds one more greeting.
    GreetingsPileUp = "greetings-pile-up",
    /// `ping` keeps the socket in a variable that all connections share: overlapping pings answer the wrong client.
    PongsCross = "pongs-cross",
    /// A reload leaves the old server in place beside the new one: two CONNECT replies, two pongs, two notifications.
    ReloadDoublesServer = "reload-doubles-server",

    // Deployment.

    /// A WebSocket on which the client sent nothing but two pongs is cut half a `pingInterval` later, as by a proxy.
    CutsIdleConnections = "cuts-idle-connections",
    /// A poll that is held for half of `pingInterval` is answered 504, as by a proxy.
    CutsLongPolls = "cuts-long-polls",
    /// All polls of a session after the twenty-fifth are answered 429.
    LimitsPolls = "limits-polls",

    // Security.

    /// Messages larger than `maxPayload` are taken on WebSocket, and only there.
    NoPayloadLimitOnWebsocket = "no-payload-limit-on-websocket",
    /// Messages larger than `maxPayload` are taken on polling, and only there.
    NoPayloadLimitOnPolling = "no-payload-limit-on-polling",
    /// While the body of one POST is being read, no other request is looked at.
    SlowPostStalls = "slow-post-stalls",
    /// A POST of the type `application/octet-stream` is never answered.
    HangsOnBinaryPost = "hangs-on-binary-post",

    // Client libraries.

    /// A handshake without the query parameter `t`, which only browsers' clients add, is refused.
    RequiresCacheBuster = "requires-cache-buster",
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = String;

    /// Parses the kebab-case name; the error names the nearest known one.
    fn from_str(name: &str) -> Result<Self, String> {
        Fault::ALL.iter().copied().find(|fault| fault.name() == name).ok_or_else(|| {
            let nearest = Fault::ALL
                .iter()
                .max_by(|a, b| strsim::jaro(a.name(), name).total_cmp(&strsim::jaro(b.name(), name)))
                .expect("there are faults");
            format!("there is no fault `{name}`; did you mean `{nearest}`? `siospec faults` lists them all")
        })
    }
}
