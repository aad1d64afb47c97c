//! The TLS beneath the interop client (`crates/native-tls`): every setting that lowers or raises a guard.

use crate::harness::TestResult;
use native_tls::{Certificate, Identity, Protocol, TlsAcceptor, TlsConnector};
use rstest::{fixture, rstest};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// An authority that no platform knows, and what a server named `localhost` got from it.
struct Authority {
    root: Certificate,
    server: Identity,
}

#[fixture]
fn authority() -> Authority {
    let made = siospec::mock::Authority::new().unwrap();
    Authority {
        root: Certificate::from_pem(made.root.as_bytes()).unwrap(),
        server: Identity::from_pkcs8(made.server.certificates.as_bytes(), made.server.key.as_bytes()).unwrap(),
    }
}

/// Sends `size` bytes to a server that returns them.
fn echo(
    acceptor: TlsAcceptor,
    connector: &TlsConnector,
    name: &str,
    size: usize,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut stream = acceptor.accept(listener.accept()?.0).map_err(|error| error.to_string())?;
        let mut data = vec![0; size];
        stream.read_exact(&mut data)?;
        stream.write_all(&data)?;
        Ok(stream.shutdown()?)
    });
    let mut stream = connector.connect(name, TcpStream::connect(address)?).map_err(|error| error.to_string())?;
    let data: Vec<u8> = (0..=u8::MAX).cycle().take(size).collect();
    stream.write_all(&data)?;
    stream.flush()?;
    let mut returned = Vec::new();
    stream.read_to_end(&mut returned)?;
    assert!(returned == data, "other bytes came back");
    assert!(stream.peer_certificate()?.is_some());
    server.join().unwrap()
}

enum Setting {
    Root,
    OnlyAddedRoots,
    AnyName,
    AnyCertificate,
    NoSni,
}
use Setting::*;

#[rstest]
#[case::nothing_said("localhost", &[], false)]
#[case::root_added("localhost", &[Root], true)]
#[case::only_that_root("localhost", &[Root, OnlyAddedRoots], true)]
#[case::no_root_at_all("localhost", &[OnlyAddedRoots], false)]
#[case::another_name("elsewhere.example", &[Root], false)]
#[case::another_name_only_that_root("elsewhere.example", &[Root, OnlyAddedRoots], false)]
#[case::any_name("elsewhere.example", &[Root, AnyName], true)]
#[case::any_name_of_an_unknown_root("localhost", &[AnyName], false)]
#[case::any_certificate("elsewhere.example", &[AnyCertificate], true)]
#[case::any_certificate_without_sni("localhost", &[AnyCertificate, NoSni], true)]
#[test]
fn trusts(#[case] name: &str, #[case] settings: &[Setting], #[case] trusted: bool, authority: Authority) -> TestResult {
    let mut tls = TlsConnector::builder();
    for setting in settings {
        match setting {
            Root => tls.add_root_certificate(authority.root.clone()),
            OnlyAddedRoots => tls.disable_built_in_roots(true),
            AnyName => tls.danger_accept_invalid_hostnames(true),
            AnyCertificate => tls.danger_accept_invalid_certs(true),
            NoSni => tls.use_sni(false),
        };
    }
    match echo(TlsAcceptor::new(authority.server)?, &tls.build()?, name, 200_000) {
        Ok(()) => assert!(trusted, "connected"),
        Err(error) => {
            assert!(!trusted, "{error}");
            assert!(error.to_string().contains("certificate"), "refused for another reason: {error}");
        }
    }
    Ok(())
}

#[rstest]
#[case::of_the_server(Protocol::Tlsv13, Protocol::Tlsv13, Protocol::Tlsv12, Protocol::Tlsv12, false)]
#[case::of_the_client(Protocol::Tlsv12, Protocol::Tlsv12, Protocol::Tlsv13, Protocol::Tlsv13, false)]
#[case::both_1_2(Protocol::Tlsv12, Protocol::Tlsv12, Protocol::Tlsv12, Protocol::Tlsv13, true)]
#[case::a_lower_bound_below_1_2(Protocol::Tlsv12, Protocol::Tlsv13, Protocol::Tlsv10, Protocol::Tlsv13, true)]
#[test]
fn keeps_version_bounds(
    #[case] server_min: Protocol,
    #[case] server_max: Protocol,
    #[case] client_min: Protocol,
    #[case] client_max: Protocol,
    #[case] meet: bool,
    authority: Authority,
) -> TestResult {
    let acceptor = TlsAcceptor::builder(authority.server)
        .min_protocol_version(Some(server_min))
        .max_protocol_version(Some(server_max))
        .build()?;
    let connector = TlsConnector::builder()
        .add_root_certificate(authority.root)
        .min_protocol_version(Some(client_min))
        .max_protocol_version(Some(client_max))
        .build()?;
    assert_eq!(echo(acceptor, &connector, "localhost", 5).is_ok(), meet);
    Ok(())
}

#[rstest]
fn refuses_what_it_cannot_offer(authority: Authority) {
    assert!(TlsConnector::builder().max_protocol_version(Some(Protocol::Tlsv11)).build().is_err());
    assert!(TlsAcceptor::builder(authority.server).max_protocol_version(Some(Protocol::Tlsv10)).build().is_err());
    assert!(Identity::from_pkcs12(b"", "").is_err());
    assert!(Identity::from_pkcs8(b"", b"").is_err());
    assert!(Certificate::from_der(b"not a certificate").is_err());
}
