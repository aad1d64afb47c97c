//! Tokens: the good one verifies, each bad one is bad in exactly its own way.

use std::collections::HashSet;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rstest::rstest;
use serde_json::{Value, json};
use siospec::contract::{Contract, Layers};
use siospec::probe::tokens::{TokenError, Tokens};
use siospec::redact::Redactor;

const SECRET: &str = "a-secret-of-the-reference-server";

fn tokens(flags: &[(&'static str, &str)]) -> (Tokens, Redactor) {
    let contract = Contract::load(Layers {
        file: None::<(PathBuf, String)>,
        env: std::iter::empty(),
        flags: flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
    })
    .unwrap_or_else(|error| panic!("{error}"));
    let redactor = Redactor::new();
    (Tokens::new(&contract, redactor.clone()), redactor)
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn valid(tokens: &Tokens, client: &str) -> String {
    wait(tokens.valid(client)).unwrap().expect("a source")
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn verify(token: &str, algorithm: Algorithm, secret: &[u8]) -> Result<Value, jsonwebtoken::errors::Error> {
    let mut validation = Validation::new(algorithm);
    validation.validate_nbf = true;
    validation.validate_aud = false;
    jsonwebtoken::decode(token, &DecodingKey::from_secret(secret), &validation).map(|data| data.claims)
}

fn refused(token: &str) -> String {
    format!("{:?}", verify(token, Algorithm::HS256, SECRET.as_bytes()).expect_err("refused").kind())
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}

#[rstest]
#[test]
fn a_valid_token_verifies() {
    let flags = [
        ("auth.secret", SECRET),
        ("auth.issuer", "me"),
        ("auth.audience", "you"),
        ("auth.claims", r#"{"sub":"user-{{client}}","role":1}"#),
    ];
    let (tokens, redactor) = tokens(&flags);
    assert!(tokens.has_source() && tokens.can_mint());
    let token = valid(&tokens, "a");
    let claims = verify(&token, Algorithm::HS256, SECRET.as_bytes()).unwrap();
    assert_eq!(
        (&claims["sub"], &claims["role"], &claims["iss"], &claims["aud"]),
        (&json!("user-a"), &json!(1), &json!("me"), &json!("you"))
    );
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    assert_eq!(part(&token, 0), json!({"alg": "HS256", "typ": "JWT"}));
    assert_eq!(valid(&tokens, "a"), token, "kept");
    assert_ne!(valid(&tokens, "b"), token);
    assert_eq!(redactor.redact(&token), "‹valid token of a›");
    assert_eq!(redactor.redact(SECRET), "‹HMAC secret›");
    assert_eq!(tokens.connect_payload(json!(1)), json!({"token": 1}));
}

#[rstest]
#[test]
fn without_a_source_there_are_still_bad_tokens() {
    let (tokens, redactor) = tokens(&[]);
    assert!(!tokens.has_source() && !tokens.can_mint());
    assert_eq!(wait(tokens.valid("a")), Ok(None));
    assert_eq!(tokens.expired("a"), Err(TokenError::NoKey));
    let forged = tokens.forged("a").unwrap();
    assert_eq!(part(&forged, 1)["sub"], "a");
    assert_eq!(redactor.redact(&forged), "‹forged token of a›");
    assert_eq!(tokens.unsigned("a").len(), 4);
    assert_eq!(tokens.malformed().len(), 4);
    assert_eq!(tokens.wrong_types().len(), 6);
}

#[rstest]
#[test]
fn each_bad_token_is_bad_in_its_own_way() {
    let (tokens, redactor) = tokens(&[("auth.secret", SECRET)]);
    let good = valid(&tokens, "a");
    let forged = tokens.forged("a").unwrap();
    assert_eq!(refused(&forged), "InvalidSignature");
    assert_eq!(part(&forged, 0), part(&good, 0));
    let tampered = tokens.tampered(&good).unwrap();
    assert_eq!(refused(&tampered), "InvalidSignature");
    assert_eq!(tampered.rsplit('.').next(), good.rsplit('.').next());
    assert_eq!(part(&tampered, 1)["exp"], part(&good, 1)["exp"]);
    assert_eq!(refused(&tokens.expired("a").unwrap()), "ExpiredSignature");
    assert_eq!(refused(&tokens.not_yet_valid("a").unwrap()), "ImmatureSignature");
    assert!(part(&tokens.without_expiry("a").unwrap(), 1).get("exp").is_none());
    assert!(verify(&tokens.wrong_issuer("a").unwrap(), Algorithm::HS256, SECRET.as_bytes()).is_ok());
    assert_ne!(part(&tokens.wrong_audience("a").unwrap(), 1)["aud"], Value::Null);
    let short = tokens.short_lived("a", Duration::from_secs(2)).unwrap();
    assert_eq!(part(&short, 1)["exp"].as_i64().unwrap() - part(&short, 1)["iat"].as_i64().unwrap(), 2);
    for (algorithm, token) in tokens.other_hmac("a").unwrap() {
        assert!(verify(&token, algorithm, SECRET.as_bytes()).is_ok(), "{algorithm:?}");
    }
    let [with_dot, without] = tokens.stripped(&good).try_into().unwrap();
    assert!(with_dot.ends_with('.') && good.starts_with(&with_dot));
    assert_eq!(without.matches('.').count(), 1);
    assert!(tokens.confused("a").unwrap().is_empty() && !tokens.has_public_key());
    for (spelling, token) in tokens.unsigned("a") {
        assert_eq!(part(&token, 0)["alg"], spelling);
        assert!(token.ends_with('.'));
        assert_eq!(redactor.redact(&format!("<{token}>")), format!("<‹unsigned token alg={spelling}›>"));
    }
}

#[rstest]
#[test]
fn injected_keys_stand_in_the_header() {
    let (tokens, _) = tokens(&[("auth.secret", SECRET)]);
    let injections = tokens.key_injections("a", "http://127.0.0.1:1").unwrap();
    let fields: HashSet<&str> = injections.iter().map(|(what, _)| what.split(':').next().unwrap()).collect();
    assert_eq!(fields, HashSet::from(["jwk", "jku", "x5u", "kid"]));
    for (what, token) in &injections {
        let field = what.split(':').next().unwrap();
        assert!(part(token, 0).get(field).is_some(), "{what}");
        verify(token, Algorithm::HS256, SECRET.as_bytes()).expect_err(what);
        if *what == "kid: path traversal" {
            assert!(verify(token, Algorithm::HS256, b"").is_ok(), "keyed with an empty file");
        }
        if field == "jwk" {
            let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(part(token, 0)["jwk"].clone()).unwrap();
            let key = DecodingKey::from_jwk(&jwk).unwrap();
            assert!(jsonwebtoken::decode::<Value>(token, &key, &Validation::new(Algorithm::HS256)).is_ok());
        }
    }
}

fn key_of(algorithm: &str) -> String {
    let random = aws_lc_rs::rand::SystemRandom::new();
    match algorithm {
        "ES256" => pem(EcdsaKeyPair::generate_pkcs8(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .unwrap()
            .as_ref()),
        "ES384" => pem(EcdsaKeyPair::generate_pkcs8(&aws_lc_rs::signature::ECDSA_P384_SHA384_FIXED_SIGNING, &random)
            .unwrap()
            .as_ref()),
        "EdDSA" => pem(Ed25519KeyPair::generate_pkcs8v1(&random).unwrap().as_ref()),
        _ => {
            let pair = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
            pem(AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref())
        }
    }
}

#[rstest]
#[case("RS256")]
#[case("PS384")]
#[case("ES256")]
#[case("ES384")]
#[case("EdDSA")]
#[test]
fn a_private_key_signs_and_gives_its_public_key(#[case] name: &str) {
    let algorithm: Algorithm = name.parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    std::fs::write(&file, key_of(name)).unwrap();
    let (tokens, _) = tokens(&[("auth.algorithm", name), ("auth.private-key-file", file.to_str().unwrap())]);
    assert!(tokens.can_mint() && tokens.has_public_key());
    let good = valid(&tokens, "a");
    let confused = tokens.confused("a").unwrap();
    assert_eq!(confused.len(), 3);
    let public = public_pem(&file, algorithm);
    let key = match name {
        "EdDSA" => DecodingKey::from_ed_pem(public.as_bytes()),
        "ES256" | "ES384" => DecodingKey::from_ec_pem(public.as_bytes()),
        _ => DecodingKey::from_rsa_pem(public.as_bytes()),
    }
    .unwrap();
    let validation = Validation::new(algorithm);
    assert!(jsonwebtoken::decode::<Value>(&good, &key, &validation).is_ok());
    let forged = tokens.forged("a").unwrap();
    assert_eq!(part(&forged, 0)["alg"], name);
    let error = jsonwebtoken::decode::<Value>(&forged, &key, &validation).expect_err("forged");
    assert_eq!(format!("{:?}", error.kind()), "InvalidSignature");
    assert!(verify(&confused[0].1, Algorithm::HS256, public.as_bytes()).is_ok(), "keyed with the PEM");
    assert!(verify(&confused[1].1, Algorithm::HS256, public.trim_end().as_bytes()).is_ok());
    let injected = &tokens.key_injections("a", "http://127.0.0.1:1").unwrap()[0].1;
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(part(injected, 0)["jwk"].clone()).unwrap();
    assert!(jsonwebtoken::decode::<Value>(injected, &DecodingKey::from_jwk(&jwk).unwrap(), &validation).is_ok());
}

#[rstest]
#[test]
fn a_key_of_another_kind_is_a_mistake_of_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    std::fs::write(&file, key_of("ES384")).unwrap();
    for algorithm in ["ES256", "RS256", "HS256"] {
        let flags = [("auth.algorithm", algorithm), ("auth.private-key-file", file.to_str().unwrap())];
        let error = Contract::load(Layers {
            file: None,
            env: std::iter::empty(),
            flags: flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        })
        .unwrap_err()
        .to_string();
        assert!(error.contains("--auth-private-key-file: ") && error.contains(algorithm), "{error}");
    }
}

#[rstest]
#[test]
fn bad_tokens_copy_the_claims_of_a_ready_one() {
    let ready = valid(&tokens(&[("auth.secret", SECRET), ("auth.claims", r#"{"sub":"u","tenant":7}"#)]).0, "a");
    let (tokens, redactor) = tokens(&[("auth.token", &ready)]);
    assert!(tokens.has_source() && !tokens.can_mint());
    assert_eq!(valid(&tokens, "b"), ready);
    assert_eq!(part(&tokens.forged("b").unwrap(), 1)["tenant"], 7);
    assert_eq!(redactor.redact(&ready), "‹valid token›");
}

#[cfg(unix)]
#[rstest]
#[test]
fn bad_tokens_copy_the_claims_and_the_algorithm_of_a_printed_one() {
    let printed = tokens(&[("auth.secret", SECRET), ("auth.algorithm", "HS512"), ("auth.claims", r#"{"userId":7}"#)]);
    let command = format!("echo {}", valid(&printed.0, "a"));
    let (copies, _) = tokens(&[("auth.token-command", &command)]);
    wait(copies.prepare());
    let forged = copies.forged("b").unwrap();
    assert_eq!((&part(&forged, 0)["alg"], &part(&forged, 1)["userId"]), (&json!("HS512"), &json!(7)));
    let (declared, _) = tokens(&[("auth.token-command", &command), ("auth.algorithm", "HS256")]);
    wait(declared.prepare());
    assert_eq!(part(&declared.forged("b").unwrap(), 0)["alg"], "HS256");
}

#[rstest]
#[test]
fn an_opaque_token_cannot_be_tampered_with() {
    let (tokens, _) = tokens(&[("auth.token", "opaque-session-token")]);
    assert_eq!(tokens.tampered("opaque-session-token"), None);
    assert!(tokens.stripped("opaque-session-token").is_empty());
}

#[cfg(unix)]
#[rstest]
#[test]
fn a_command_runs_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let command = format!("echo run >> {}; echo some-token", log.display());
    let (tokens, redactor) = tokens(&[("auth.token-command", &command)]);
    wait(async {
        let (a, b) = tokio::join!(tokens.valid("a"), tokens.valid("b"));
        assert_eq!((a, b), (Ok(Some("some-token".to_owned())), Ok(Some("some-token".to_owned()))));
    });
    assert_eq!(std::fs::read_to_string(log).unwrap(), "run\n");
    assert_eq!(redactor.redact("some-token"), "‹valid token›");
}

#[cfg(unix)]
#[rstest]
#[case("exit 3", "auth.token-command failed with exit status: 3")]
#[case("true", "auth.token-command printed nothing; expected one token")]
#[case("echo two words", "auth.token-command printed more than one word; expected one token and nothing else")]
#[case("yes", "auth.token-command printed more than 65536 bytes; expected one token")]
#[test]
fn a_command_that_fails_says_why(#[case] command: &str, #[case] said: &str) {
    let (tokens, _) = tokens(&[("auth.token-command", command)]);
    assert_eq!(wait(tokens.valid("a")).unwrap_err().message().text(), said);
}

/// The public key of a private one, as `openssl pkey -pubout` writes it.
fn public_pem(file: &std::path::Path, algorithm: Algorithm) -> String {
    use aws_lc_rs::encoding::PublicKeyX509Der;
    use aws_lc_rs::signature::KeyPair;
    let text = std::fs::read_to_string(file).unwrap();
    let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(body).unwrap();
    let public: PublicKeyX509Der<'_> = match algorithm {
        Algorithm::ES256 | Algorithm::ES384 => {
            let curve = match algorithm {
                Algorithm::ES256 => &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING,
                _ => &aws_lc_rs::signature::ECDSA_P384_SHA384_FIXED_SIGNING,
            };
            EcdsaKeyPair::from_pkcs8(curve, &der).unwrap().public_key().as_der().unwrap()
        }
        Algorithm::EdDSA => Ed25519KeyPair::from_pkcs8(&der).unwrap().public_key().as_der().unwrap(),
        _ => RsaKeyPair::from_pkcs8(&der).unwrap().public_key().as_der().unwrap(),
    };
    let body = STANDARD.encode(public.as_ref());
    let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}
