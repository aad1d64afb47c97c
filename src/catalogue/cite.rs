//! The documents that the checks rest on.

/// A place in a document.
#[derive(Clone, Copy, Debug)]
pub struct Cite {
    /// The document and section.
    pub place: &'static str,
    /// Where it can be read.
    pub url: &'static str,
}

macro_rules! cites {
    ($($(#[$doc:meta])* $name:ident = $place:literal, $url:literal;)+) => {
        $($(#[$doc])* pub const $name: Cite = Cite { place: $place, url: $url };)+
    };
}

cites! {
    /// The handshake.
    EIO_HANDSHAKE = "Engine.IO protocol v4, \"Handshake\"", "https://socket.io/docs/v4/engine-io-protocol/#handshake";
    /// HTTP long-polling.
    EIO_POLLING = "Engine.IO protocol v4, \"HTTP long-polling\"", "https://socket.io/docs/v4/engine-io-protocol/#http-long-polling";
    /// The query parameters of polling requests.
    EIO_QUERY = "Engine.IO protocol v4, \"Query parameters\"", "https://socket.io/docs/v4/engine-io-protocol/#query-parameters";
    /// POST requests.
    EIO_SENDING = "Engine.IO protocol v4, \"Sending data\"", "https://socket.io/docs/v4/engine-io-protocol/#sending-data";
    /// GET requests.
    EIO_RECEIVING = "Engine.IO protocol v4, \"Receiving data\"", "https://socket.io/docs/v4/engine-io-protocol/#receiving-data";
    /// The packet types.
    EIO_PACKETS = "Engine.IO protocol v4, \"Protocol\"", "https://socket.io/docs/v4/engine-io-protocol/#protocol";
    /// Packets and payloads.
    EIO_ENCODING = "Engine.IO protocol v4, \"Packet encoding\"", "https://socket.io/docs/v4/engine-io-protocol/#packet-encoding";
    /// The protocol's own tests.
    EIO_TESTS = "Engine.IO protocol v4, \"Test suite\"", "https://socket.io/docs/v4/engine-io-protocol/#test-suite";
    /// WebSocket.
    EIO_WEBSOCKET = "Engine.IO protocol v4, \"WebSocket\"", "https://socket.io/docs/v4/engine-io-protocol/#websocket";
    /// Response headers, status and content type.
    EIO_HEADERS = "Engine.IO protocol v4, \"Headers\"", "https://socket.io/docs/v4/engine-io-protocol/#headers";
    /// Heartbeat.
    EIO_HEARTBEAT = "Engine.IO protocol v4, \"Heartbeat\"", "https://socket.io/docs/v4/engine-io-protocol/#heartbeat";
    /// Upgrade.
    EIO_UPGRADE = "Engine.IO protocol v4, \"Upgrade\"", "https://socket.io/docs/v4/engine-io-protocol/#upgrade";
    /// Connection to a namespace.
    SIO_CONNECT = "Socket.IO protocol v5, \"Connection to a namespace\"", "https://socket.io/docs/v4/socket-io-protocol/#connection-to-a-namespace";
    /// Sending and receiving data.
    SIO_EVENTS = "Socket.IO protocol v5, \"Sending and receiving data\"", "https://socket.io/docs/v4/socket-io-protocol/#sending-and-receiving-data";
    /// Disconnection from a namespace.
    SIO_DISCONNECT = "Socket.IO protocol v5, \"Disconnection from a namespace\"", "https://socket.io/docs/v4/socket-io-protocol/#disconnection-from-a-namespace";
    /// Acknowledgement.
    SIO_ACK = "Socket.IO protocol v5, \"Acknowledgement\"", "https://socket.io/docs/v4/socket-io-protocol/#acknowledgement";
    /// Packet encoding.
    SIO_ENCODING = "Socket.IO protocol v5, \"Packet encoding\"", "https://socket.io/docs/v4/socket-io-protocol/#packet-encoding";
    /// The protocol's own test suite.
    SIO_TEST_SUITE = "Socket.IO protocol v5, \"Test suite\"", "https://socket.io/docs/v4/socket-io-protocol/#test-suite";
    /// Namespaces.
    SIO_NAMESPACES = "Socket.IO documentation, \"Namespaces\"", "https://socket.io/docs/v4/namespaces/";
    /// Event names that are not for applications.
    SIO_RESERVED = "Socket.IO documentation, \"Emit cheatsheet\", \"Reserved events\"", "https://socket.io/docs/v4/emit-cheatsheet/#reserved-events";
    /// Middlewares.
    SIO_MIDDLEWARES = "Socket.IO documentation, \"Middlewares\"", "https://socket.io/docs/v4/middlewares/";
    /// Credentials in the CONNECT payload.
    SIO_CREDENTIALS = "Socket.IO documentation, \"Middlewares\", \"Sending credentials\"", "https://socket.io/docs/v4/middlewares/#sending-credentials";
    /// How a middleware refuses.
    SIO_MIDDLEWARE_ERRORS = "Socket.IO documentation, \"Middlewares\", \"Handling middleware error\"", "https://socket.io/docs/v4/middlewares/#handling-middleware-error";
    /// Rooms.
    SIO_ROOMS = "Socket.IO documentation, \"Rooms\"", "https://socket.io/docs/v4/rooms/";
    /// Emitting events.
    SIO_BROADCAST = "Socket.IO documentation, \"Broadcasting events\"", "https://socket.io/docs/v4/broadcasting-events/";
    /// Listening to events.
    SIO_LISTENING = "Socket.IO documentation, \"Listening to events\"", "https://socket.io/docs/v4/listening-to-events/";
    /// The client's options.
    SIO_CLIENT_OPTIONS = "Socket.IO documentation, \"Client options\"", "https://socket.io/docs/v4/client-options/";
    /// The server's options.
    SIO_SERVER_OPTIONS = "Socket.IO documentation, \"Server options\"", "https://socket.io/docs/v4/server-options/";
    /// The largest message.
    SIO_MAX_PAYLOAD = "Socket.IO documentation, \"Server options\", \"maxHttpBufferSize\"", "https://socket.io/docs/v4/server-options/#maxhttpbuffersize";
    /// How long a session may live without a CONNECT.
    SIO_CONNECT_TIMEOUT = "Socket.IO documentation, \"Server options\", \"connectTimeout\"", "https://socket.io/docs/v4/server-options/#connecttimeout";
    /// Socket.IO in Nuxt.
    SIO_NUXT = "Socket.IO documentation, \"How to use with Nuxt\"", "https://socket.io/how-to/use-with-nuxt";
    /// The client that browsers and Node run.
    SIO_CLIENT = "Socket.IO documentation, \"Client API\"", "https://socket.io/docs/v4/client-api/";
    /// A client library other than the browser's.
    RUST_SOCKETIO = "rust_socketio 0.6", "https://github.com/1c3t3a/rust-socketio";
    /// When nginx takes a server for failed.
    NGINX_UPSTREAM = "nginx, ngx_http_upstream_module, \"max_fails\"", "https://nginx.org/en/docs/http/ngx_http_upstream_module.html#max_fails";
    /// The server's side of a dropped connection.
    SIO_DISCONNECT_EVENTS = "Socket.IO documentation, \"The Socket instance (server-side)\", \"disconnect\"", "https://socket.io/docs/v4/server-socket-instance/#disconnect";
    /// The team's own checklist.
    CHECKLIST = "siospec, the checklist", "docs/checklist.md";
    /// The structure of a JWT.
    RFC7519_3 = "RFC 7519, 3", "https://www.rfc-editor.org/rfc/rfc7519#section-3";
    /// The `exp` claim.
    RFC7519_4_1_4 = "RFC 7519, 4.1.4", "https://www.rfc-editor.org/rfc/rfc7519#section-4.1.4";
    /// Unsecured JWTs.
    RFC7519_6 = "RFC 7519, 6", "https://www.rfc-editor.org/rfc/rfc7519#section-6";
    /// Validating a JWT.
    RFC7519_7_2 = "RFC 7519, 7.2", "https://www.rfc-editor.org/rfc/rfc7519#section-7.2";
    /// Algorithm verification.
    RFC8725_3_1 = "RFC 8725, 3.1", "https://www.rfc-editor.org/rfc/rfc8725#section-3.1";
    /// Appropriate algorithms.
    RFC8725_3_2 = "RFC 8725, 3.2", "https://www.rfc-editor.org/rfc/rfc8725#section-3.2";
    /// Validate all cryptographic operations.
    RFC8725_3_3 = "RFC 8725, 3.3", "https://www.rfc-editor.org/rfc/rfc8725#section-3.3";
    /// Message validation.
    RFC7515_5_2 = "RFC 7515, 5.2", "https://www.rfc-editor.org/rfc/rfc7515#section-5.2";
    /// The `iss` claim.
    RFC7519_4_1_1 = "RFC 7519, 4.1.1", "https://www.rfc-editor.org/rfc/rfc7519#section-4.1.1";
    /// The `aud` claim.
    RFC7519_4_1_3 = "RFC 7519, 4.1.3", "https://www.rfc-editor.org/rfc/rfc7519#section-4.1.3";
    /// The `nbf` claim.
    RFC7519_4_1_5 = "RFC 7519, 4.1.5", "https://www.rfc-editor.org/rfc/rfc7519#section-4.1.5";
    /// Confusion of algorithms.
    RFC8725_2_1 = "RFC 8725, 2.1", "https://www.rfc-editor.org/rfc/rfc8725#section-2.1";
    /// Validate issuer and subject.
    RFC8725_3_8 = "RFC 8725, 3.8", "https://www.rfc-editor.org/rfc/rfc8725#section-3.8";
    /// Use and validate audience.
    RFC8725_3_9 = "RFC 8725, 3.9", "https://www.rfc-editor.org/rfc/rfc8725#section-3.9";
    /// Do not trust received claims.
    RFC8725_3_10 = "RFC 8725, 3.10", "https://www.rfc-editor.org/rfc/rfc8725#section-3.10";
    /// Tokens in the query.
    RFC6750_5_3 = "RFC 6750, 5.3", "https://www.rfc-editor.org/rfc/rfc6750#section-5.3";
    /// Secrets in a request's query.
    CWE_598 = "CWE-598", "https://cwe.mitre.org/data/definitions/598.html";
    /// Sessions that never end.
    CWE_613 = "CWE-613", "https://cwe.mitre.org/data/definitions/613.html";
    /// Missing authorization.
    CWE_862 = "CWE-862", "https://cwe.mitre.org/data/definitions/862.html";
    /// Missing authentication.
    CWE_306 = "CWE-306", "https://cwe.mitre.org/data/definitions/306.html";
    /// Input that is not validated.
    CWE_20 = "CWE-20", "https://cwe.mitre.org/data/definitions/20.html";
    /// Prototype pollution.
    CWE_1321 = "CWE-1321", "https://cwe.mitre.org/data/definitions/1321.html";
    /// Connection state recovery.
    SIO_RECOVERY = "Socket.IO documentation, \"Connection state recovery\"", "https://socket.io/docs/v4/connection-state-recovery";
    /// Client errors.
    RFC9110_15_5 = "RFC 9110, 15.5", "https://www.rfc-editor.org/rfc/rfc9110#section-15.5";
    /// Safe methods.
    RFC9110_9_2_1 = "RFC 9110, 9.2.1", "https://www.rfc-editor.org/rfc/rfc9110#section-9.2.1";
    /// The opening handshake of WebSocket.
    RFC6455_4 = "RFC 6455, 4", "https://www.rfc-editor.org/rfc/rfc6455#section-4";
    /// The close frame of WebSocket.
    RFC6455_5_5_1 = "RFC 6455, 5.5.1", "https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1";
    /// The closing handshake of WebSocket.
    RFC6455_7_1_2 = "RFC 6455, 7.1.2", "https://www.rfc-editor.org/rfc/rfc6455#section-7.1.2";
    /// Any number of attachments.
    CVE_2026_33151 = "CVE-2026-33151", "https://nvd.nist.gov/vuln/detail/CVE-2026-33151";
    /// No attachments at all.
    CVE_2026_69185 = "CVE-2026-69185", "https://nvd.nist.gov/vuln/detail/CVE-2026-69185";
    /// Redirects.
    RFC9110_15_4 = "RFC 9110, 15.4", "https://www.rfc-editor.org/rfc/rfc9110#section-15.4";
    /// What a cache may store.
    RFC9111_3 = "RFC 9111, 3", "https://www.rfc-editor.org/rfc/rfc9111#section-3";
    /// Guessing session ids.
    OWASP_SESSION = "OWASP Session Management Cheat Sheet, \"Session ID Properties\"", "https://cheatsheetseries.owasp.org/cheatsheets/Session_Management_Cheat_Sheet.html#session-id-properties";
    /// Error messages that tell too much.
    CWE_209 = "CWE-209", "https://cwe.mitre.org/data/definitions/209.html";
    /// Errors that nothing catches.
    CWE_248 = "CWE-248", "https://cwe.mitre.org/data/definitions/248.html";
    /// Several nodes, and sessions that stay on one of them.
    SIO_NODES = "Socket.IO documentation, \"Using multiple nodes\", \"Enabling sticky-session\"", "https://socket.io/docs/v4/using-multiple-nodes/#enabling-sticky-session";
    /// How events get from one node to the others.
    SIO_ADAPTER = "Socket.IO documentation, \"Adapter\"", "https://socket.io/docs/v4/adapter/";
    /// The Redis adapter.
    SIO_REDIS = "Socket.IO documentation, \"Redis adapter\"", "https://socket.io/docs/v4/redis-adapter/";
    /// CORS in Socket.IO.
    SIO_CORS = "Socket.IO documentation, \"Handling CORS\"", "https://socket.io/docs/v4/handling-cors/";
    /// Refusing requests before a session exists.
    SIO_ALLOW_REQUEST = "Socket.IO documentation, \"Server options\", \"allowRequest\"", "https://socket.io/docs/v4/server-options/#allowrequest";
    /// Compression of WebSocket messages.
    SIO_DEFLATE = "Socket.IO documentation, \"Server options\", \"perMessageDeflate\"", "https://socket.io/docs/v4/server-options/#permessagedeflate";
    /// Which origin may read an answer.
    FETCH_CORS = "Fetch, \"CORS protocol\"", "https://fetch.spec.whatwg.org/#http-cors-protocol";
    /// The same with cookies.
    FETCH_CREDENTIALS = "Fetch, \"CORS protocol and credentials\"", "https://fetch.spec.whatwg.org/#cors-protocol-and-credentials";
    /// What is promised of messages on their way.
    SIO_DELIVERY = "Socket.IO documentation, \"Delivery guarantees\", \"Message ordering\"", "https://socket.io/docs/v4/delivery-guarantees#message-ordering";
    /// The `Origin` of requests.
    FETCH_ORIGIN = "Fetch, \"`Origin` header\"", "https://fetch.spec.whatwg.org/#origin-header";
    /// Origins of WebSockets.
    RFC6455_10_2 = "RFC 6455, 10.2", "https://www.rfc-editor.org/rfc/rfc6455#section-10.2";
    /// Compression of WebSocket messages, and what it gives away.
    RFC7692_10 = "RFC 7692, 10", "https://www.rfc-editor.org/rfc/rfc7692#section-10";
    /// What `https` promises.
    RFC9110_4_2_2 = "RFC 9110, 4.2.2", "https://www.rfc-editor.org/rfc/rfc9110#section-4.2.2";
    /// How a certificate names its host.
    RFC9525_6 = "RFC 9525, 6", "https://www.rfc-editor.org/rfc/rfc9525#section-6";
    /// `Server`.
    RFC9110_10_2_4 = "RFC 9110, 10.2.4", "https://www.rfc-editor.org/rfc/rfc9110#section-10.2.4";
    /// Too many origins let in.
    CWE_942 = "CWE-942", "https://cwe.mitre.org/data/definitions/942.html";
    /// WebSockets of any origin.
    CWE_1385 = "CWE-1385", "https://cwe.mitre.org/data/definitions/1385.html";
    /// Same origin.
    RFC6454_4 = "RFC 6454, 4", "https://www.rfc-editor.org/rfc/rfc6454#section-4";
    /// Proxied WebSocket connections that are silent.
    NGINX_WEBSOCKET = "nginx documentation, \"WebSocket proxying\"", "https://nginx.org/en/docs/http/websocket.html";
    /// Too many requests.
    RFC6585_4 = "RFC 6585, 4", "https://www.rfc-editor.org/rfc/rfc6585#section-4";
    /// Resources that anybody can use up.
    CWE_400 = "CWE-400", "https://cwe.mitre.org/data/definitions/400.html";
    /// engine.io never answers a POST of binary data.
    CVE_2026_59725 = "CVE-2026-59725", "https://www.cve.org/CVERecord?id=CVE-2026-59725";
}
