//! The contract: layers, defaults, mistakes and how they read.

use std::path::PathBuf;
use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use siospec::contract::{
    Contract, Error, Expect, Layers, Pattern, PrivateMember, ReloadAction, Secret, TokenSource, UserSource, Vars,
    clap_args, commented_file, flags_from, keys,
};
use siospec::redact::Redactor;

fn load(file: &str, env: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Contract, Error> {
    Contract::load(Layers {
        file: Some((PathBuf::from("siospec.toml"), file.to_owned())),
        env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        flags: flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
    })
}

fn message(file: &str) -> String {
    load(file, &[], &[]).expect_err("a mistake in the file").to_string()
}

/// Contracts hold secrets, so they are compared by their `Debug` form plus the headers' values, which it hides.
fn shown(contract: &Contract) -> String {
    let values: Vec<&str> = contract.headers.iter().map(|(_, value)| value.expose()).collect();
    format!("{contract:#?} {values:?}")
}

#[rstest]
#[test]
fn nothing_declared_is_the_checklist() {
    let contract = Contract::default();
    assert_eq!(contract.path, "/socket.io");
    assert_eq!(contract.namespace, "/");
    assert_eq!(contract.deadline, Duration::from_secs(5));
    assert_eq!(contract.auth.token_field, "token");
    assert_eq!(format!("{:?}", contract.auth.algorithm), "HS256");
    assert_eq!(contract.auth.source, None);
    let vars = Vars::new().room("r1").message("m1").client("a");
    let ping = contract.ping.expect("ping is on");
    assert_eq!(ping.emit.render(&vars), ("ping".to_owned(), vec![]));
    assert_eq!(ping.reply, "pong");
    assert!(!ping.emit.carries_message());
    let rooms = contract.rooms.expect("rooms are on");
    assert_eq!(rooms.join.render(&vars), ("join_room".to_owned(), vec![json!("r1")]));
    assert_eq!(rooms.leave.render(&vars), ("leave_room".to_owned(), vec![json!("r1")]));
    assert_eq!(rooms.send.render(&vars), ("send_message".to_owned(), vec![json!({"room": "r1", "message": "m1"})]));
    assert!(rooms.send.carries_message());
    assert!(!rooms.join.carries_message());
    assert_eq!(rooms.receive, Expect { event: "receive_message".to_owned(), payload: None });
    let rest = contract.rest.expect("REST is on");
    assert!(rest.carries_message());
    let call = rest.render(&vars);
    assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/api/notify"));
    assert_eq!(call.body, Some(json!({"message": "m1"})));
    assert_eq!(rest.response, Pattern::new(json!({"success": true})));
    assert!(contract.ack.is_none() && contract.reload.is_none());
    assert!(!contract.choices.guests);
}

#[rstest]
#[test]
fn the_commented_file_gives_the_defaults() {
    let contract = load(&commented_file(), &[], &[]).unwrap_or_else(|error| panic!("{error}"));
    let nothing = load("", &[], &[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(shown(&contract), shown(&nothing));
}

#[rstest]
#[test]
fn the_file_without_its_comment_signs_gives_the_defaults() {
    let lines = commented_file();
    let lines = lines.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => rest,
        _ => line,
    });
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    assert!(text.contains("\npath = \"/socket.io\"\n"), "{text}");
    let contract = load(&text, &[], &[]).unwrap_or_else(|error| panic!("{error}"));
    // What a file says, if only the default, is said.
    let mut expected = load("", &[], &[]).unwrap_or_else(|error| panic!("{error}"));
    expected.says_where = true;
    assert_eq!(shown(&contract), shown(&expected).as_str());
}

#[rstest]
#[test]
fn every_example_is_accepted_on_its_own() {
    for key in keys::KEYS.iter().filter(|key| key.example.is_some()) {
        let example = key.example.unwrap_or_default();
        let mut file = if key.section().is_empty() { String::new() } else { format!("[{}]\n", key.section()) };
        file.push_str(&format!("{} = {example}\n", key.short()));
        if key.name == "ack.reply" {
            file.push_str("event = \"echo\"\n");
        }
        if let Err(error) = load(&file, &[], &[]) {
            // What an example names need not exist here.
            let text = error.to_string();
            assert!(text.contains("is not set") || text.contains("cannot read"), "{}: {text}", key.name);
        }
    }
}

#[rstest]
#[test]
fn flags_beat_variables_beat_the_file() {
    let file = "[rest]\npath = \"/file\"\n";
    let path = |contract: Contract| contract.rest.expect("REST is on").path;
    let env = [("SIOSPEC_REST_PATH", "/env")];
    assert_eq!(path(load(file, &[], &[]).unwrap()), "/file");
    assert_eq!(path(load(file, &env, &[]).unwrap()), "/env");
    assert_eq!(path(load(file, &env, &[("rest.path", "/flag")]).unwrap()), "/flag");
}

#[rstest]
#[test]
fn an_empty_variable_counts_as_not_set_unless_it_should_hold_a_secret() {
    let contract = load("path = \"/file\"", &[("SIOSPEC_PATH", "")], &[]).unwrap();
    assert_eq!(contract.path, "/file");
    let mistake = load("", &[("SIOSPEC_AUTH_SECRET", "")], &[]).unwrap_err().to_string();
    assert!(mistake.contains("SIOSPEC_AUTH_SECRET: it is empty"), "{mistake}");
}

#[rstest]
#[case::a_word("secret = hunter2hunter2")]
#[case::a_number("secret = 4711471147114711")]
#[case::half_a_quote("secret = \"hunter2hunter2")]
#[case::a_word_behind_a_date("secret = 1979-05-27hunter2")]
#[test]
fn a_secret_without_its_quotes_is_not_shown(#[case] line: &str) {
    let mistake = load(&format!("[auth]\n{line}\n"), &[], &[]).unwrap_err().to_string();
    assert!(!mistake.contains("hunter2") && !mistake.contains("4711"), "{mistake}");
    assert!(mistake.contains("secret"), "{mistake}");
}

#[rstest]
#[case("/ws/", "/ws")]
#[case("ws", "/ws")]
#[case("/", "")]
#[case("/a/b", "/a/b")]
#[test]
fn the_path_is_normalised(#[case] given: &str, #[case] path: &str) {
    assert_eq!(load("", &[], &[("path", given)]).unwrap().path, path);
}

#[rstest]
#[test]
fn json_and_lists_come_from_flags() {
    let contract = load(
        "",
        &[("SIOSPEC_HEADERS", "Cookie: a=b; c=d\nX-Stage: 1")],
        &[
            ("rooms.send-args", r#"["{{room}}", {"text": "{{message}}", "n": null}]"#),
            ("rest.payload", r#""{{message}}""#),
            ("rest.credentials", r#"{"Authorization": "Bearer {{token}}"}"#),
            ("nodes", "http://a:1/, http://b:2"),
            ("origin", "HTTPS://App.example.com:443/"),
            ("choices.guests", "true"),
            ("deadline", "1m 30s"),
        ],
    )
    .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(contract.headers.len(), 2);
    assert_eq!(contract.headers[0], ("Cookie".to_owned(), Secret::new("a=b; c=d")));
    assert_eq!(contract.nodes, ["http://a:1", "http://b:2"]);
    assert_eq!(contract.origin.as_deref(), Some("https://app.example.com"));
    assert!(contract.choices.guests);
    assert_eq!(contract.deadline, Duration::from_secs(90));
    let vars = Vars::new().room("r").message("m").token("eyJ.x.y");
    let send = contract.rooms.unwrap().send;
    assert_eq!(send.render(&vars).1, vec![json!("r"), json!({"text": "m", "n": null})]);
    let rest = contract.rest.unwrap();
    assert!(rest.needs_token());
    assert_eq!(rest.render(&vars).headers[0].1.expose(), "Bearer eyJ.x.y");
    assert!(rest.render_as_stranger(&vars).headers.is_empty());
}

#[rstest]
#[test]
fn a_path_of_a_call_is_filled_in_and_encoded() {
    let contract = load("[rest]\nmethod = \"get\"\npath = \"/api/{{room}}?text={{message}}\"", &[], &[]).unwrap();
    let call = contract.rest.unwrap().render(&Vars::new().room("a/b").message("x y"));
    assert_eq!(call.path, "/api/a%2Fb?text=x%20y");
    assert_eq!(call.method, http::Method::GET);
    assert_eq!(call.body, None);
}

#[rstest]
#[test]
fn bodies_keep_the_order_of_the_file() {
    let contract = load("[rest.body]\nz = 1\na = { y = 2, b = \"{{message}}\" }", &[], &[]).unwrap();
    let body = contract.rest.unwrap().render(&Vars::new().message("m")).body.unwrap();
    assert_eq!(body.to_string(), r#"{"z":1,"a":{"y":2,"b":"m"}}"#);
}

#[rstest]
#[test]
fn parts_can_be_declared_off() {
    let contract = load("ping.enabled = false\nrooms.enabled = false\nrest.enabled = false", &[], &[]).unwrap();
    assert!(contract.ping.is_none() && contract.rooms.is_none() && contract.rest.is_none());
}

#[rstest]
#[test]
fn reload_is_a_command_or_a_call() {
    let contract = load("reload.url = \"http://localhost:3000/__reload\"", &[], &[]).unwrap();
    let reload = contract.reload.unwrap();
    assert_eq!(reload.deadline, Duration::from_secs(30));
    assert!(matches!(reload.action, ReloadAction::Http { method: http::Method::POST, .. }));
    let text = message("[reload]\ncommand = \"true\"\nurl = \"http://localhost/\"");
    assert!(text.contains("two ways to reload: reload.command and reload.url"), "{text}");
}

#[rstest]
#[test]
fn an_unknown_key_is_shown_with_its_line_and_the_nearest_name() {
    let text = message("path = \"/socket.io\"\n\n[rest]\npaht = \"/api/notify\"\n");
    assert!(text.contains("unknown key `rest.paht`"), "{text}");
    assert!(text.contains("siospec.toml:4:1"), "{text}");
    // The line is shown without its texts: an unknown key may be a misspelt secret.
    assert!(text.contains("paht = \"***********\""), "{text}");
    assert!(text.contains("^^^^ not a key of the contract"), "{text}");
    assert!(text.contains("did you mean `rest.path`?"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colour unless asked: {text}");
}

#[rstest]
#[case("[rset]\npath = \"/x\"", "unknown key `rset`", "did you mean `rest`?")]
#[case("token = \"abc\"", "unknown key `token`", "did you mean `auth.token`?")]
#[case("auth-token = \"abc\"", "unknown key `auth-token`", "did you mean `auth.token`?")]
#[case("[choices]\nwebsocket-only = true\npolling-only = true", "serves nobody", "keep one of them")]
#[case("[choices]\nwebsocket_only = true", "unknown key `choices.websocket_only`", "`choices.websocket-only`")]
#[case("deadline = 5", "expected a duration such as \"5s\", found 5", "give the unit: \"5s\"")]
#[case("deadline = \"soon\"", "expected a duration such as \"5s\", found \"soon\"", "ms, s, m or h")]
#[case("deadline = \"0s\"", "expected a duration of 1ms at least", "siospec.toml:1:12")]
#[case("path = true", "`path`: expected a text in quotes, found true or false", "siospec.toml:1:8")]
#[case("path = \"http://x/socket.io\"", "expected a path such as \"/socket.io\"", "without scheme and host")]
#[case("ping.args = \"x\"", "expected a list of arguments, found a text", "put the argument in brackets")]
#[case("auth.algorithm = \"HS265\"", "expected one of HS256, HS384", "did you mean \"HS256\"?")]
#[case("rest = \"/api\"", "`rest` is a table of keys, not a text", "write [rest]")]
#[case("[rooms]\nsend-args = [\"{{rom}}\"]", "`rooms.send-args` cannot hold `{{rom}}`", "did you mean `{{room}}`?")]
#[case("auth.claims = { sub = \"{{room}}\" }", "`auth.claims` cannot hold `{{room}}`", "can hold {{client}}")]
#[case("[ack]\nreply = 1", "`ack.reply` is given without `ack.event`", "siospec.toml:2:9")]
#[case("namespace = \"/a,b\"", "a namespace cannot hold a comma", "siospec.toml:1:13")]
#[case("nodes = [\"localhost:3000\"]", "expected http(s) URLs", "siospec.toml:1:9")]
#[case("origin = \"https://a.example/app\"", "expected the origin of a web page", "siospec.toml:1:10")]
#[case("path = ", "this is not TOML", "siospec.toml:1:")]
#[case("path = \"/a\"\npath = \"/b\"", "this is not TOML", "duplicate key")]
#[case("auth.secret-env = \"NOWHERE\"", "auth.secret-env names NOWHERE, which is not set", "set NOWHERE")]
#[case("auth.token-file = \"/nowhere/token\"", "cannot read /nowhere/token", "siospec.toml:1:19")]
#[case(
    "auth.secret = \"x\"\nauth.token-command = \"y\"",
    "two sources of tokens: auth.secret and auth.token-command",
    "keep one"
)]
#[case("[auth]\nalgorithm = \"RS256\"\nsecret = \"x\"", "does not fit auth.algorithm RS256", "private key")]
#[case("users = 1", "`users` is a list of tables, not a number", "[[users]]")]
#[case("[[users]]\nrooms = []", "a user without `name`", "siospec.toml:1:1")]
#[case("[[users]]\nname = \"a\"\nroms = []", "unknown key `users.roms`", "did you mean `rooms`?")]
#[case("[[users]]\nname = \"a\"\n[[users]]\nname = \"a\"", "two users are called \"a\"", "siospec.toml:4:8")]
#[case(
    "[[users]]\nname = \"a\"\nrooms = [7]",
    "user \"a\" may join 7, which is none of rooms.pool",
    "siospec.toml:3:9"
)]
#[case("[[users]]\nname = \"a\"\nclaims = { id = 7 }", "nothing makes tokens of user \"a\"", "auth.secret-env")]
#[case("[[users]]\nname = \"a\"\nclaims = 7", "`users.claims`: expected a table", "siospec.toml:3:10")]
#[case("[[users]]\nname = \"a\"\nlogin = { pin = 1 }", "logs in, and nothing says where", "auth.login-path")]
#[case("[[users]]\nname = \"a\"\ntoken-env = \"NOWHERE\"", "NOWHERE is named here, and is not set", "set NOWHERE")]
#[case(
    "[[users]]\nname = \"a\"\ntoken = \"x\"\ntoken-command = \"y\"",
    "two sources of one user's tokens: `token` and `token-command`",
    "keep one"
)]
#[case("[auth]\nlogin-path = \"/l\"\nlogin-token = \"token\"", "is no JSON Pointer", "/data/token")]
#[case("[rooms]\npool = [7, 7]", "`rooms.pool` has 7 twice", "siospec.toml:2:8")]
#[case("[rooms]\npool = [true]", "`rooms.pool`: true is no room", "texts or numbers")]
#[test]
fn a_mistake_in_the_file_says_what_and_where(#[case] file: &str, #[case] what: &str, #[case] hint: &str) {
    let text = message(file);
    assert!(text.contains(what), "{text}");
    assert!(text.contains(hint), "{text}");
    assert!(text.contains("siospec.toml:"), "{text}");
    assert!(text.contains('^'), "{text}");
}

#[rstest]
#[test]
fn the_caret_stands_under_the_unknown_placeholder() {
    let text = message("[rooms]\njoin-args = [\"{{ rooom }}\"]");
    assert!(text.contains("siospec.toml:2:15"), "{text}");
    assert!(text.contains("^^^^^^^^^^^ unknown here"), "{text}");
}

#[rstest]
#[test]
fn all_mistakes_are_told_at_once() {
    let error =
        load("paht = 1\n[ping]\nenabled = 1", &[("SIOSPEC_REST_PAHT", "/x")], &[("deadline", "x")]).unwrap_err();
    assert_eq!(error.count(), 4, "{error}");
}

#[rstest]
#[case("SIOSPEC_REST_PAHT", "/x", "SIOSPEC_REST_PAHT: no such variable", "did you mean SIOSPEC_REST_PATH?")]
#[case("SIOSPEC_TARGET", "/x", "SIOSPEC_TARGET: no such variable", "did you mean SIOSPEC_TARGET_URL?")]
#[case("SIOSPEC_COLOUR_OF_THE_SKY", "/x", "SIOSPEC_COLOUR_OF_THE_SKY: no such variable", "is read as a key")]
#[case("SIOSPEC_PING_ENABLED", "maybe", "SIOSPEC_PING_ENABLED: expected true or false, found \"maybe\"", "")]
#[case("SIOSPEC_REST_BODY", "{x}", "SIOSPEC_REST_BODY: expected JSON", "quote it for the shell")]
#[test]
fn a_mistake_in_a_variable_names_it(#[case] name: &str, #[case] value: &str, #[case] what: &str, #[case] hint: &str) {
    let text = load("", &[(name, value)], &[]).unwrap_err().to_string();
    assert!(text.contains(what) && text.contains(hint), "{text}");
}

#[rstest]
#[test]
fn reserved_and_foreign_variables_are_left_alone() {
    let env = [("SIOSPEC_TARGET_URL", "x"), ("SIOSPEC_REQUIRE", "x"), ("SIOSPEC_CONFIG", "x"), ("PATH", "x")];
    assert!(load("", &env, &[]).is_ok());
}

#[rstest]
#[test]
fn a_mistake_in_a_flag_names_it() {
    let text = load("", &[], &[("rooms.join-args", "room")]).unwrap_err().to_string();
    assert!(text.contains("--rooms-join-args: expected a JSON array, such as [\"{{room}}\"], found `room`"), "{text}");
    let text = load("", &[], &[("auth.algorithm", "none")]).unwrap_err().to_string();
    assert!(text.contains("--auth-algorithm: expected one of HS256"), "{text}");
}

#[rstest]
#[case("[auth]\nsecrt = \"hunter2-hunter2\"")]
#[case("auth = { secret = \"hunter2-hunter2\", x = 1 }")]
#[case("[rest.headers]\nX-Pass = [\"hunter2-hunter2\"]")]
#[case("[headers]\nX-Any = \"hunter2-hunter2\\n\"")]
#[case("scret = \"hunter2-hunter2\"")]
#[case("[[users]]\nname = \"a\"\nlogin = \"hunter2-hunter2\"")]
#[case("[[users]]\nname = \"a\"\nlogin = { password = \"hunter2-hunter2\" }")]
#[case("[[users]]\nname = \"a\"\ntoken = \"hunter2-hunter2\"\ntoken-env = \"B\"")]
#[case("[[users]]\npasword = \"hunter2-hunter2\"")]
#[case("[auth]\nsecret = \"hunter2-hunter2")]
#[case("[auth]\ntoken = '''\nhunter2-hunter2\n''' x")]
#[case("#secret = \"hunter2-hunter2\n[auth]\nsecret = \"a\" \"hunter2-hunter2\"")]
#[test]
fn a_message_about_the_file_shows_no_secret(#[case] file: &str) {
    let error = load(file, &[], &[]).unwrap_err();
    for text in [error.to_string(), error.render(true)] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[rstest]
#[test]
fn a_message_about_a_secret_flag_does_not_quote_it() {
    let text = load("", &[], &[("headers", "{hunter2}")]).unwrap_err().to_string();
    assert!(text.contains("--headers: expected headers") && !text.contains("hunter2"), "{text}");
    let text = load("", &[], &[("headers", "hunter2")]).unwrap_err().to_string();
    assert!(!text.contains("hunter2"), "{text}");
}

#[rstest]
#[test]
fn a_room_keeps_its_kind() {
    let contract = load(
        "[rooms]\npool = [7]\nsend-args = [{ id = \"{{room}}\", name = \"room {{room}}\" }]\nreceive-payload = { id = \"{{room}}\" }",
        &[],
        &[],
    );
    let rooms = contract.unwrap().rooms.unwrap();
    let number = Vars::new().room(7);
    assert_eq!(rooms.send.render(&number).1, [json!({ "id": 7, "name": "room 7" })]);
    assert!(rooms.receive.check(&[json!({ "id": 7.0 })], &number).is_ok());
    let text = rooms.receive.check(&[json!({ "id": "7" })], &number).unwrap_err();
    assert_eq!(text.message().text(), "at .id: expected 7, got \"7\"");
    assert_eq!(rooms.send.render(&Vars::new().room("7")).1, [json!({ "id": "7", "name": "room 7" })]);
}

#[rstest]
#[test]
fn users_have_rooms_and_tokens_of_their_own() {
    let file = "[auth]\nsecret = \"hunter2\"\nlogin-path = \"login\"\n[rooms]\npool = [7, \"lobby\"]\n\
                [[users]]\nname = \"ada\"\nclaims = { id = 1 }\n\
                [[users]]\nname = \"ben\"\nrooms = [7]\nlogin = { email = \"b\", password-env = \"PW\" }\n";
    let contract = load(file, &[("PW", "blackboard")], &[]).unwrap_or_else(|error| panic!("{error}"));
    let [ada, ben] = &contract.users[..] else { panic!("{:?}", contract.users) };
    assert!(matches!(&ada.source, Some(UserSource::Claims(claims)) if claims["id"] == 1));
    assert!(ada.may_join(&json!("lobby")) && ben.may_join(&json!(7)) && !ben.may_join(&json!("lobby")));
    let Some(UserSource::Login(body)) = &ben.source else { panic!("{ben:?}") };
    assert_eq!(body.json.expose(), r#"{"email":"b","password":"blackboard"}"#);
    let redactor = Redactor::new();
    contract.conceal_in(&redactor);
    assert_eq!(redactor.redact("it says blackboard"), "it says ‹login of ben›");
    assert_eq!(contract.auth.login.as_ref().map(|call| call.path.as_str()), Some("/login"));
    assert_eq!(contract.closed_room(), Some(json!("lobby")));
    let debug = format!("{contract:?}");
    assert!(!debug.contains("hunter2") && !debug.contains("blackboard"), "{debug}");
}

#[rstest]
#[test]
fn the_contract_shows_no_secret() {
    let contract =
        load("headers = { Cookie = \"hunter2\" }", &[("JWT", "hunter2")], &[("auth.secret-env", "JWT")]).unwrap();
    let text = format!("{contract:?} {}", Secret::new("hunter2"));
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(contract.auth.source, Some(TokenSource::Secret(Secret::new("hunter2"))));
    let redactor = Redactor::new();
    contract.conceal_in(&redactor);
    assert_eq!(redactor.redact("Cookie: hunter2"), "Cookie: ‹value of Cookie›");
}

#[rstest]
#[test]
fn a_member_of_the_private_room_is_known_by_claims_or_a_token() {
    let room = "choices.private-room = \"staff\"\n";
    let claims = load(&format!("{room}choices.private-room-claims = {{ role = \"x\" }}"), &[], &[]).unwrap();
    let role = serde_json::Map::from_iter([("role".to_owned(), "x".into())]);
    assert_eq!(claims.choices.private_member, Some(PrivateMember::Claims(role)));

    let named = ("choices.private-room-token-env", "MEMBER");
    let token = load(room, &[("MEMBER", "hunter2hunter2")], &[named]).unwrap();
    assert_eq!(token.choices.private_member, Some(PrivateMember::Token(Secret::new("hunter2hunter2"))));
    assert!(!format!("{token:?}").contains("hunter2"));
    let redactor = Redactor::new();
    token.conceal_in(&redactor);
    assert!(!redactor.redact("the token is hunter2hunter2").contains("hunter2"));

    let both = load(
        &format!("{room}choices.private-room-claims = {{}}\nchoices.private-room-token-env = \"M\""),
        &[("M", "a")],
        &[],
    );
    let mistake = both.unwrap_err().to_string();
    assert!(mistake.contains("two ways to be a member of the private room"), "{mistake}");
}

#[rstest]
#[test]
fn a_source_of_a_stronger_layer_replaces_one_of_the_file() {
    let contract = load("auth.token-command = \"x\"", &[], &[("auth.token", " abc ")]).unwrap();
    assert_eq!(contract.auth.source, Some(TokenSource::Token(Secret::new("abc"))));
    let text = load("", &[("SIOSPEC_AUTH_TOKEN", "a"), ("SIOSPEC_AUTH_SECRET", "b")], &[]).unwrap_err().to_string();
    assert!(text.contains("two sources of tokens: SIOSPEC_AUTH_SECRET and SIOSPEC_AUTH_TOKEN"), "{text}");
}

#[rstest]
#[test]
fn files_are_found_beside_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret.txt"), "s3cret words \n").unwrap();
    let contract = Contract::load(Layers {
        file: Some((folder.path().join("siospec.toml"), "auth.secret-file = \"secret.txt\"".to_owned())),
        env: std::iter::empty(),
        flags: vec![],
    })
    .unwrap();
    assert_eq!(contract.auth.source, Some(TokenSource::Secret(Secret::new("s3cret words "))));
}

#[rstest]
#[test]
fn a_ready_token_tells_its_algorithm() {
    // {"alg":"ES256"}
    let token = "eyJhbGciOiJFUzI1NiJ9.e30.AAAA";
    let contract = load("", &[("E2E", token)], &[("auth.token-env", "E2E")]).unwrap();
    assert_eq!(format!("{:?}", contract.auth.algorithm), "ES256");
    let flags = [("auth.token-env", "E2E"), ("auth.algorithm", "RS256")];
    let contract = load("", &[("E2E", token)], &flags).unwrap();
    assert_eq!(format!("{:?}", contract.auth.algorithm), "RS256");
}

#[rstest]
#[test]
fn every_key_has_a_flag() {
    let command = clap::Command::new("siospec").args(clap_args());
    command.clone().debug_assert();
    let given =
        "siospec --rest-path /x --choices-guests --ping-enabled=false --ping-args [-1] --node http://a --node http://b";
    let matches = command.clone().try_get_matches_from(given.split(' ')).unwrap();
    let mut flags = flags_from(&matches);
    flags.sort();
    let expected = [
        ("choices.guests", "true"),
        ("nodes", "http://a,http://b"),
        ("ping.args", "[-1]"),
        ("ping.enabled", "false"),
        ("rest.path", "/x"),
    ];
    assert_eq!(flags, expected.map(|(name, value)| (name, value.to_owned())));
    let help = command.clone().render_help().to_string();
    assert!(help.contains("--path") && !help.contains("--rooms-join-event"), "{help}");
    let help = command.clone().render_long_help().to_string();
    for key in keys::KEYS {
        assert!(help.contains(&format!("--{}", key.flag())), "{}", key.name);
        assert!(help.contains(&key.variable()), "{}", key.name);
    }
}

#[rstest]
#[test]
fn no_two_keys_share_a_flag_or_variable() {
    let mut seen = std::collections::BTreeSet::new();
    for key in keys::KEYS {
        assert!(seen.insert(key.flag()), "{}", key.name);
        assert!(seen.insert(key.variable()), "{}", key.name);
        assert!(key.default.is_some() != key.example.is_some(), "{}: a default or an example", key.name);
        assert!(!key.help.ends_with('.'), "{}", key.name);
    }
}

#[rstest]
#[case(json!({"success": true}), json!({"success": true, "more": 1}), None)]
#[case(json!({"success": true}), json!({"success": false}), Some("at .success: expected true, got false"))]
#[case(json!({"a": {"b": [1, "x"]}}), json!({"a": {"b": [1, "y"]}}), Some("at .a.b[1]: expected \"x\", got \"y\""))]
#[case(json!({"a": 1}), json!({}), Some("at .a: expected 1, got nothing"))]
#[case(json!([1, 2]), json!([1]), Some("expected 2 elements, got 1 element"))]
#[case(json!("{{message}}"), json!("m1"), None)]
#[case(json!("[{{message}}]"), json!("m1"), Some("expected \"[m1]\", got \"m1\""))]
#[case(json!({"at": "{{any}}"}), json!({"at": [1]}), None)]
#[case(json!({"at": "{{any}}"}), json!({}), Some("at .at: expected \"\", got nothing"))]
#[case(json!("{{room}}"), json!(7), None)]
#[case(json!(1), json!(1.0), None)]
#[case(json!({"a b": 1}), json!({"a b": 2}), Some("at [\"a b\"]: expected 1, got 2"))]
#[case(json!(null), json!(false), Some("expected null, got false"))]
#[test]
fn a_pattern_explains_what_differs(#[case] pattern: Value, #[case] value: Value, #[case] said: Option<&str>) {
    let vars = Vars::new().message("m1");
    let outcome = Pattern::new(pattern).check(&value, &vars);
    assert_eq!(outcome.err().map(|mismatch| mismatch.message().text()).as_deref(), said);
}

#[rstest]
#[test]
fn without_a_pattern_the_message_must_occur_somewhere() {
    let expect = Expect { event: "notification".to_owned(), payload: None };
    let vars = Vars::new().message("nonce-1");
    assert!(expect.check(&[json!(1), json!({"deep": ["said nonce-1 loud"]})], &vars).is_ok());
    let said = expect.check(&[json!({"deep": "nonce-2"})], &vars).unwrap_err().message().text();
    assert_eq!(said, r#"expected "nonce-1" somewhere in the arguments, got [{"deep":"nonce-2"}]"#);
    assert!(expect.check(&[], &Vars::new()).is_ok());
}
