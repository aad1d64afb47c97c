//! siospec as a dependency: what it offers, and what comes with it.

use std::{fs, path::Path, process::Command, sync::Arc};

use rstest::rstest;
use siospec::{
    catalogue::Selection,
    mock::{DEFAULT_JWT_SECRET, Fault, Options, ReferenceServer},
    runner::{Runner, SetupError},
};
use syn::{ImplItem, Item, Visibility};

use crate::harness::TestResult;

/// The files that declare what siospec offers as a library: what its entry points take and give.
const OFFERED: [&str; 14] = [
    "catalogue/mod.rs",
    "catalogue/selection.rs",
    "contract/mod.rs",
    "contract/read.rs",
    "fault.rs",
    "lang/mod.rs",
    "message.rs",
    "mock/mod.rs",
    "report/mod.rs",
    "runner/mod.rs",
    "runner/report.rs",
    "runner/setup.rs",
    "verdict.rs",
    "verdict/run.rs",
];

/// A change of what others may rely on is seen: `INSTA_UPDATE=always` accepts it.
#[rstest]
#[test]
fn what_others_may_rely_on_changes_in_plain_sight() {
    let mut offered = String::new();
    for name in OFFERED {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(name);
        let file = syn::parse_file(&fs::read_to_string(path).expect("a source file")).expect("Rust");
        offered += &format!("# {name}\n");
        for line in file.items.iter().flat_map(declared) {
            offered += &line;
            offered.push('\n');
        }
    }
    // A macro declares them.
    offered += "# the faults\n";
    for fault in Fault::ALL {
        offered += &format!("{fault:?}\n");
    }
    insta::assert_snapshot!("offered", offered);
}

/// What an item offers: its own head, and the public parts of it.
fn declared(item: &Item) -> Vec<String> {
    match item {
        Item::Enum(item) if is_public(&item.vis) => {
            let variants: Vec<String> = item.variants.iter().map(|variant| variant.ident.to_string()).collect();
            vec![format!("enum {} {{ {} }}", item.ident, variants.join(", "))]
        }
        Item::Struct(item) if is_public(&item.vis) => {
            let fields = item.fields.iter().filter(|field| is_public(&field.vis));
            let fields: Vec<String> = fields.filter_map(|field| Some(field.ident.as_ref()?.to_string())).collect();
            vec![format!("struct {} {{ {} }}", item.ident, fields.join(", "))]
        }
        Item::Trait(item) if is_public(&item.vis) => vec![format!("trait {}", item.ident)],
        Item::Fn(item) if is_public(&item.vis) => vec![text(&item.sig)],
        Item::Const(item) if is_public(&item.vis) => vec![format!("const {}: {}", item.ident, text(&item.ty))],
        Item::Type(item) if is_public(&item.vis) => vec![format!("type {}", item.ident)],
        Item::Use(item) if is_public(&item.vis) => vec![format!("use {}", text(&item.tree))],
        Item::Impl(item) if item.trait_.is_none() => {
            let functions = item.items.iter().filter_map(|part| match part {
                ImplItem::Fn(function) if is_public(&function.vis) => {
                    Some(format!("{}: {}", text(&item.self_ty), text(&function.sig)))
                }
                ImplItem::Const(constant) if is_public(&constant.vis) => {
                    Some(format!("{}: const {}: {}", text(&item.self_ty), constant.ident, text(&constant.ty)))
                }
                _ => None,
            });
            functions.collect()
        }
        _ => Vec::new(),
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn text(tokens: &impl quote::ToTokens) -> String {
    tokens.to_token_stream().to_string()
}

/// With the reference server alone come neither the command line nor the checks' own HTTP client.
#[rstest]
#[case::mock("mock", &["clap", "reqwest", "maud", "quick-junit", "polib"])]
#[case::run("run", &["socketioxide", "redis", "clap_complete"])]
#[test]
fn a_part_brings_along_what_it_needs(#[case] feature: &str, #[case] absent: &[&str]) -> TestResult {
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    command.args(["--no-default-features", "--features", feature]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let tree = command.output()?;
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout)?;
    let brought: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let wrong: Vec<&&str> = absent.iter().filter(|name| brought.contains(*name)).collect();
    assert!(wrong.is_empty() && brought.contains(&"tokio"), "{feature} brings {wrong:?}: {brought:?}");
    Ok(())
}

#[rstest]
#[test]
async fn a_run_begins_with_a_url_and_what_is_declared() -> TestResult {
    let server = ReferenceServer::start(Options::default().with_fault(Fault::RoomBroadcastsToAll)).await?;
    let selection = Selection::new(&["rooms.outsider-silent".into(), "rooms.leave".into()], &[])?;
    let declared = [("auth.secret", DEFAULT_JWT_SECRET)];
    let report = Arc::new(Runner::against(server.url(), &declared, &selection).await?).run().await;
    let failed: Vec<&str> =
        report.results.iter().filter(|result| result.is_failure()).map(|result| result.id.as_str()).collect();
    assert!(failed.contains(&"rooms.outsider-silent"), "{report:#?}");
    let wrong = Runner::against("no url", &declared, &selection).await.err().expect("a complaint");
    assert!(matches!(wrong, SetupError::Url(..)), "{wrong}");
    let wrong = Runner::against(server.url(), &[("auth.secrt", "x")], &selection).await.err().expect("a complaint");
    assert!(wrong.to_string().contains("auth.secrt"), "{wrong}");
    Ok(())
}
