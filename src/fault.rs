//! The deviations that the reference server can be told to commit.
//!
//! Each is one small, named departure from a correct deployment, and exists because a check claims to find it. The
//! fault matrix test proves that claim for every pair of fault and check.

use std::{fmt, str::FromStr};

/// A deployment of the reference server. What some faults do cannot be seen in the plain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Variant {
    /// Tokens are signed by HMAC, and everything is off that Node has off by default.
    Plain,
    /// Tokens are signed by a private key, of which the server has the public one.
    PublicKey,
    /// Connection state recovery is on.
    Recovery,
    /// A reload keeps the server, and with it the connections.
    InPlace,
    /// Several nodes, joined by an adapter.
    Cluster,
    /// Behind TLS.
    Tls,
}

impl Variant {
    /// Those that one server makes up, with nothing but itself.
    pub const SINGLE: &[Variant] = &[Variant::Plain, Variant::PublicKey, Variant::Recovery, Variant::InPlace];
}

/// Declares [`Fault`] with a kebab-case name and a one-line description for each variant, so that neither can be
/// forgotten. `in` names the deployment that the fault shows in, where the plain one does not do.
macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal $(in $deployment:ident)?,)+) => {
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

            /// Whether it has clients get in each other's way, whichever they are: then it shows, or hides, in any check that
            /// runs beside another one, and only where one runs at a time in those that it is for. A poll that is to be cut,
            /// too, must not be answered by another check's broadcast.
            pub const fn crosses_clients(self) -> bool {
                matches!(self, Fault::PongsCross | Fault::RestEmitsBeforeConnect | Fault::RestLosesBursts | Fault::CutsLongPolls)
            }

            /// The deployment that it shows in.
            pub const fn variant(self) -> Variant {
                match self {
                    $($(Fault::$variant => Variant::$deployment,)?)+
                    _ => Variant::Plain,
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
    /// The first handshake by each transport is answered 503, as by a node that has just been started.
    FirstHandshakesFail = "first-handshakes-fail",
    /// The open packet's `pingTimeout` is 2^31 ms.
    OpenPacketEndlessTimeout = "open-packet-endless-timeout",
    /// The polling handshake's open packet holds a byte that is no UTF-8, in a field of its own.
    OpenPacketBadUtf8 = "open-packet-bad-utf8",
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

    /// A handshake without `EIO` is served as if it said 4.
    ServesMissingEio = "serves-missing-eio",
    /// A handshake is served whatever its `EIO` says.
    ServesAnyEio = "serves-any-eio",
    /// Requests of a session are served whatever their `EIO` says, and without one.
    ServesSessionAnyEio = "serves-session-any-eio",
    /// A handshake without `transport` is served.
    ServesMissingTransport = "serves-missing-transport",
    /// A handshake with a `transport` that does not exist is served.
    ServesUnknownTransport = "serves-unknown-transport",
    /// A polling handshake that must be refused is refused by 404 instead of 400.
    RefusesHandshakeByNotFound = "refuses-handshake-by-not-found",
    /// An upgrade that must be refused for its `EIO`, `transport` or `sid` gets 101 and is then left hanging.
    HangsBadUpgrade = "hangs-bad-upgrade",
    /// The polling handshake is served by whatever method.
    ServesAnyMethod = "serves-any-method",
    /// A handshake by another method than GET is answered 500.
    BadMethodCrashes = "bad-method-crashes",
    /// A POST with an unknown `sid` is answered 200 `ok`.
    AcceptsPostToUnknownSid = "accepts-post-to-unknown-sid",
    /// Polling requests with an unknown `sid` are answered 404.
    UnknownSidNotFound = "unknown-sid-not-found",
    /// A POST is answered 200 `OK`, in capitals.
    PostAnswersOtherText = "post-answers-other-text",
    /// A POST is answered 204 without a body.
    PostAnswersNoContent = "post-answers-no-content",
    /// Of the packets in one POST only the first four are processed.
    TruncatesPayload = "truncates-payload",
    /// The packets in one POST are processed last first where there are more than four.
    ReversesPayload = "reverses-payload",
    /// A second poll beside a pending one takes its place; the first is released by a noop.
    SecondPollTakesOver = "second-poll-takes-over",
    /// A packet without a type, or of an unknown type, is ignored.
    IgnoresInvalidPackets = "ignores-invalid-packets",
    /// A POST with a packet of an unknown type is refused by 400, and its session lives on.
    InvalidPostSparesSession = "invalid-post-spares-session",
    /// A close packet by POST is ignored.
    IgnoresClose = "ignores-close",
    /// A close packet by POST ends the session and leaves its pending poll unanswered.
    CloseHoldsPoll = "close-holds-poll",
    /// A close packet on a WebSocket ends the session and leaves its connection open, in silence.
    CloseHoldsWebsocket = "close-holds-websocket",
    /// Polling requests of a session that has moved to WebSocket are served: a GET gets a noop, a POST is processed.
    PollsAfterUpgrade = "polls-after-upgrade",
    /// A second WebSocket of an upgraded session is let in: its `2probe` is answered.
    SecondWebsocketLetIn = "second-websocket-let-in",
    /// A second WebSocket of an upgraded session is closed, and the first one with it.
    SecondWebsocketCutsFirst = "second-websocket-cuts-first",

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
    /// An `echo` with a character outside the first 65,536 is never acknowledged, and such a room message never delivered.
    LosesAstral = "loses-astral",
    /// An `echo` of more than three quarters of `maxPayload` is never acknowledged, and such a room message never delivered.
    LosesLargeMessages = "loses-large-messages",
    /// The body of a POST is read as Latin-1.
    ReadsPostsAsLatin1 = "reads-posts-as-latin1",
    /// The last byte of binary data that comes by polling is lost.
    ShortensBase64 = "shortens-base64",
    /// A client's messages beyond a burst of 150, and twenty more each second, are lost, as by a rate limiter.
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
    /// `nbf` is not looked at.
    AcceptsEarlyToken = "accepts-early-token",
    /// A token without `exp` is accepted.
    AcceptsMissingExp = "accepts-missing-exp",
    /// `iss` is not looked at.
    AcceptsAnyIssuer = "accepts-any-issuer",
    /// `aud` is not looked at.
    AcceptsAnyAudience = "accepts-any-audience",
    /// A token signed with the secret by HS384 or HS512 is accepted as well.
    AcceptsOtherHmac = "accepts-other-hmac",
    /// The token's header chooses the algorithm: one signed by HS256, with the public key's file as secret, is accepted.
    AcceptsPublicKeyAsSecret = "accepts-public-key-as-secret" in PublicKey,
    /// A token is verified with the key that stands in its own header (`jwk`).
    TrustsEmbeddedKey = "trusts-embedded-key",
    /// A token is verified with the key that is served at the address in its own header (`jku`).
    TrustsNamedKeySet = "trusts-named-key-set",
    /// The address in a token's header (`jku`) is asked, and then the token is refused.
    AsksNamedKeySet = "asks-named-key-set",
    /// The header's `kid` is taken for the path of the file that holds the secret.
    TrustsKeyPath = "trusts-key-path",
    /// A token in the URL's query (`?token=…`) is as good as one in the CONNECT payload.
    AcceptsQueryToken = "accepts-query-token",
    /// Once a CONNECT was refused, every further one on that connection is.
    RefusesForGood = "refuses-for-good",
    /// `/admin` is a namespace that looks at no token.
    OpenAdminNamespace = "open-admin-namespace",
    /// A connection goes on when its token has run out.
    OutlivesToken = "outlives-token",
    /// A client that comes back with the `pid` of an earlier connection needs no token.
    RecoversWithoutToken = "recovers-without-token" in Recovery,
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
    /// A CONNECT to a namespace that does not exist is accepted.
    AcceptsUnknownNamespace = "accepts-unknown-namespace",
    /// A CONNECT to a namespace that does not exist is refused by a bare string.
    RefusesUnknownNamespaceWithString = "refuses-unknown-namespace-with-string",
    /// A CONNECT to a namespace that does not exist gets no answer.
    IgnoresUnknownNamespace = "ignores-unknown-namespace",
    /// A second CONNECT to the same namespace gets a second CONNECT reply.
    AcceptsSecondConnect = "accepts-second-connect",
    /// After a second CONNECT to the same namespace, each event is handled twice.
    SecondConnectDoublesEvents = "second-connect-doubles-events",
    /// A CONNECT is accepted without a token when its payload is no object.
    AcceptsConnectPayloadOfAnyKind = "accepts-connect-payload-of-any-kind",
    /// An event that comes before any CONNECT is ignored, and the connection stays open.
    IgnoresEventBeforeConnect = "ignores-event-before-connect",
    /// An event whose payload is no array with a name in it is ignored, and the connection stays open.
    IgnoresEmptyEvent = "ignores-empty-event",
    /// An event named `disconnect` or `disconnecting` is handled as if the client were gone.
    HandlesReservedEvents = "handles-reserved-events",
    /// A packet of an unknown type is ignored, and the connection stays open.
    IgnoresUnknownType = "ignores-unknown-type",
    /// An event whose acknowledgement id is no number is ignored, and the connection stays open.
    IgnoresBadAckId = "ignores-bad-ack-id",
    /// No event is acknowledged.
    NoAck = "no-ack",
    /// Each event with an acknowledgement id is acknowledged twice.
    DoubleAck = "double-ack",
    /// Acknowledgements carry an id that is one too high.
    AckWrongId = "ack-wrong-id",
    /// The acknowledgement of `echo` does not hold what was sent.
    AckWrongPayload = "ack-wrong-payload",
    /// An acknowledgement that nobody waits for closes the connection.
    ClosesOnUnknownAck = "closes-on-unknown-ack",
    /// An event without a handler closes the connection.
    ClosesOnUnknownEvent = "closes-on-unknown-event",
    /// A binary event counts as complete when its first attachment is there.
    TakesOneAttachmentOnly = "takes-one-attachment-only",
    /// Attachments for the client lack their last byte.
    TruncatesAttachments = "truncates-attachments",
    /// Placeholders are not replaced by their attachments: binary data is echoed as `{"_placeholder":true,…}`.
    KeepsPlaceholders = "keeps-placeholders",
    /// The attachments of an event for the client are sent in reverse order.
    SwapsAttachmentsSent = "swaps-attachments-sent",
    /// After the attachments of an event for the client comes one more binary packet, which no header announced.
    UnannouncedBinary = "unannounced-binary",
    /// The attachments of an event for the client are text (`b…`) on WebSocket, too.
    TextAttachmentOnWebsocket = "text-attachment-on-websocket",
    /// A text packet in place of an attachment is taken, and the incomplete binary event forgotten.
    TakesTextForAttachment = "takes-text-for-attachment",
    /// A binary event is acknowledged before its attachments are there.
    HandlesIncompleteBinary = "handles-incomplete-binary",
    /// A DISCONNECT for a namespace is ignored: events that follow are handled.
    IgnoresDisconnect = "ignores-disconnect",
    /// The second namespace does not exist.
    NoSecondNamespace = "no-second-namespace",
    /// What is sent in the second namespace reaches the client in `/`.
    NamespacesRunTogether = "namespaces-run-together",
    /// A DISCONNECT for the second namespace leaves `/` as well.
    DisconnectLeavesAllNamespaces = "disconnect-leaves-all-namespaces",
    /// A client's close frame is not answered, and the connection stays open.
    IgnoresCloseFrame = "ignores-close-frame",

    // Events.

    /// `ping` gets no `pong`.
    NoPong = "no-pong",
    /// `ping` gets two `pong`s.
    DoublePong = "double-pong",
    /// `pong` is emitted to every connected client.
    BroadcastsPong = "broadcasts-pong",
    /// Event handlers are registered after the CONNECT reply: if the next packet from the client is an event, it is lost.
    LateHandlers = "late-handlers",
    /// An argument of another type than declared takes the server down: every connection drops.
    MalformedPayloadCrashes = "malformed-payload-crashes",
    /// A room named as a property that every JavaScript object has takes the server down: every connection drops.
    PrototypeRoomCrashes = "prototype-room-crashes",
    /// Everybody counts as a member of a room named as a property that every JavaScript object has.
    PrototypeRoomHoldsAll = "prototype-room-holds-all",
    /// `pong` comes 800 ms after its `ping`.
    SlowPong = "slow-pong",

    /// Every second `echo` of a client waits 30 ms before it is acknowledged, and others overtake it.
    ReordersAcks = "reorders-acks",

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
    /// Names of rooms are folded: letter case, and blanks around them, make no difference.
    FoldsRoomNames = "folds-room-names",
    /// A number is taken for a room's name, and is the room of the text of it.
    MakesTextOfRoomNumbers = "makes-text-of-room-numbers",
    /// An object as message reaches the members of its room as the text `[object Object]`.
    MakesTextOfObjects = "makes-text-of-objects",
    /// Joining twice delivers twice.
    JoinTwiceDeliversTwice = "join-twice-delivers-twice",
    /// Members on polling receive no room messages.
    RoomSkipsPolling = "room-skips-polling",

    /// A client is in a room named by its own socket id, which others can join: rooms that users name are not kept apart
    /// from those.
    SocketIdsAreRooms = "socket-ids-are-rooms",
    /// Everybody may join the private room.
    OpenPrivateRoom = "open-private-room",

    /// Whoever is refused by the private room hears what its members say, and is only kept from speaking.
    RefusedStillListens = "refused-still-listens",

    /// Every second message of a client waits 30 ms before it goes to its room, and others overtake it.
    ReordersRoomMessages = "reorders-room-messages",

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
    /// A REST call waits until no other has come for a quarter of a second, and while five wait, others emit nothing.
    RestLosesBursts = "rest-loses-bursts",
    /// The REST route takes any body, and emits what it makes of it.
    RestAcceptsAnyBody = "rest-accepts-any-body",
    /// A body that the REST route cannot read makes it answer 500.
    RestCrashesOnBadBody = "rest-crashes-on-bad-body",
    /// A GET on the REST route emits as well.
    RestEmitsOnGet = "rest-emits-on-get",
    /// The REST route asks for no credentials.
    RestOpenToAll = "rest-open-to-all",

    // Reconnects and reloads.

    /// A session lives on for ever after its client is gone: no cut poll, overlapping poll or missed pong ends it.
    KeepsDeadSessions = "keeps-dead-sessions",
    /// The handlers of a user whose connection dropped are registered once more on each new connection: n pongs.
    HandlersPileUp = "handlers-pile-up",
    /// As `handlers-pile-up`, but only after a clean disconnect.
    HandlersPileUpAfterDisconnect = "handlers-pile-up-after-disconnect",
    /// Each reconnect of a user adds one more subscription to notifications.
    NotificationsPileUp = "notifications-pile-up",
    /// The last notification is sent to a user that comes back, once more.
    ReplaysLastNotification = "replays-last-notification",
    /// Each reconnect of a user adds one more delivery of every room message.
    RoomDeliveriesPileUp = "room-deliveries-pile-up",
    /// Each reconnect of a user adds one more greeting.
    GreetingsPileUp = "greetings-pile-up",
    /// `ping` keeps the socket in a variable that all connections share: overlapping pings answer the wrong client.
    PongsCross = "pongs-cross",
    /// Of the users who were connected before, only twenty-five are let in at the same time.
    TurnsCrowdAway = "turns-crowd-away",
    /// The first of the room messages that a client missed is lost when it comes back.
    RecoveryLosesEvent = "recovery-loses-event" in Recovery,
    /// The events that a client missed reach it twice when it comes back.
    RecoveryRepeatsEvents = "recovery-repeats-events" in Recovery,
    /// A reload leaves the old server in place beside the new one: two CONNECT replies, two pongs, two notifications.
    ReloadDoublesServer = "reload-doubles-server",
    /// A reload that is to take place without a word to the clients drops every connection.
    ReloadDropsConnections = "reload-drops-connections" in InPlace,

    // Deployment.

    /// A WebSocket on which the client sent nothing but two pongs is cut half a `pingInterval` later, as by a proxy.
    CutsIdleConnections = "cuts-idle-connections",
    /// A WebSocket on which nothing goes either way for four fifths of `pingInterval` is cut, as by a proxy; but not one that is
    /// connected, which others' notifications keep busy, or not, as it happens.
    CutsSilentWebsockets = "cuts-silent-websockets",
    /// A poll that is held for five sixths of `pingInterval` is answered 504, as by a proxy.
    CutsLongPolls = "cuts-long-polls",
    /// Polls of a session beyond a burst of eighteen, and one more each second, are answered 429, as by a proxy.
    LimitsPolls = "limits-polls",
    /// A session is unknown once the TCP connection that it was opened on is closed, unless another one has carried it on
    /// before.
    SessionsStickToConnections = "sessions-stick-to-connections",
    /// Among several nodes: what is emitted on one node stays there, as without an adapter.
    EventsStayOnNode = "events-stay-on-node" in Cluster,
    /// Among several nodes: a message to a room reaches everybody, those outside 100 ms late, as by another node.
    LeaksFromOtherNode = "leaks-from-other-node" in Cluster,
    /// Among several nodes: what is emitted on one node goes to the others by the adapter, and once more by hand.
    EventsCrossTwice = "events-cross-twice" in Cluster,
    /// Behind TLS: everything is served over http as well, instead of a redirect to https.
    ServesPlainHttp = "serves-plain-http" in Tls,
    /// After an upgrade on another path every request is answered 502 for two seconds, as by a proxy that takes the server for
    /// failed.
    ForeignUpgradeTakesNodeOut = "foreign-upgrade-takes-node-out",
    /// A WebSocket is compressed (permessage-deflate) where the client offers it.
    CompressesWebsocket = "compresses-websocket",

    // Security.

    /// A binary event may announce any number of attachments, and they are waited for without end.
    TakesExcessAttachments = "takes-excess-attachments",
    /// A binary event that announces no attachment waits for one without end.
    WaitsForZeroAttachments = "waits-for-zero-attachments",
    /// Messages larger than `maxPayload` are taken on WebSocket, and only there.
    NoPayloadLimitOnWebsocket = "no-payload-limit-on-websocket",
    /// Messages larger than `maxPayload` are taken on polling, and only there.
    NoPayloadLimitOnPolling = "no-payload-limit-on-polling",
    /// While the body of one POST is being read, no other request is looked at.
    SlowPostStalls = "slow-post-stalls",
    /// A POST of the type `application/octet-stream` is never answered.
    HangsOnBinaryPost = "hangs-on-binary-post",
    /// Pages of all origins but the allowed one are let in by `*`, with credentials.
    CorsWildcardCredentials = "cors-wildcard-credentials",
    /// Whatever origin asks is let in by its own name, with credentials.
    CorsReflectsOrigin = "cors-reflects-origin",
    /// The allowed origin is not let in: it gets no `Access-Control-Allow-Origin`.
    CorsForgetsAllowed = "cors-forgets-allowed",
    /// The allowed origin's preflight is answered 400.
    CorsRefusesPreflight = "cors-refuses-preflight",
    /// What the allowed origin gets lacks `Vary: Origin`.
    CorsWithoutVary = "cors-without-vary",
    /// A WebSocket of the allowed origin is refused.
    WebsocketRefusesAllowedOrigin = "websocket-refuses-allowed-origin",
    /// A request that carries an `Origin` is refused, unless it is the allowed one: pages of the server's own origin too.
    RefusesOwnOrigin = "refuses-own-origin",
    /// A foreign origin is refused on polling, and let in on WebSocket.
    OriginCheckedOnPollingOnly = "origin-checked-on-polling-only",
    /// Pages of any origin may poll (`*`, without credentials), and those of a foreign one may not open a WebSocket.
    OriginCheckedOnWebsocketOnly = "origin-checked-on-websocket-only",
    /// A cookie stands in for the token on a WebSocket that a page of another origin opens.
    CookieOpensWebsocket = "cookie-opens-websocket",
    /// An unknown session id is answered with a stack trace.
    ErrorsWithStackTrace = "errors-with-stack-trace",
    /// A handshake by a wrong method is answered with the name and version of a framework.
    ErrorsWithVersion = "errors-with-version",
    /// A REST call with a malformed body is answered with the path of a file on the server.
    RestErrorsWithPath = "rest-errors-with-path",
    /// Every answer names the server's software and version.
    NamesItsVersion = "names-its-version",

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
