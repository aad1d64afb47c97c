//! The `#[test]` of siospec's test binary, which has no libtest. Rust's own attribute would drop the function there
//! without a word; this one takes its name and enters the function into the list of tests (`tests/harness`).

use proc_macro::{Delimiter, TokenStream, TokenTree};

/// Registers a function without arguments, async or not. `#[ignore]` and `#[ignore = "why"]` are understood.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    if !arguments.is_empty() {
        return error("#[test] takes no arguments");
    }
    match expand(item) {
        Ok(tokens) => tokens,
        Err(message) => error(message),
    }
}

fn expand(item: TokenStream) -> Result<TokenStream, &'static str> {
    let tokens: Vec<TokenTree> = item.into_iter().collect();
    let keyword = tokens.iter().position(|token| token.to_string() == "fn").ok_or("#[test] is for functions")?;
    let [TokenTree::Ident(name), TokenTree::Group(parameters), ..] = &tokens[keyword + 1..] else {
        return Err("#[test] is for functions without type parameters");
    };
    if !parameters.stream().is_empty() {
        return Err("a test with arguments needs #[rstest] above #[test]");
    }

    let (mut function, mut ignored, mut rest) = (Vec::new(), false, &tokens[..keyword]);
    // What stands before `fn`: attributes, a visibility, `async`.
    while let [first, after @ ..] = rest {
        match (first, after) {
            (TokenTree::Punct(hash), [TokenTree::Group(attribute), beyond @ ..]) if hash.as_char() == '#' => {
                match head(attribute).as_str() {
                    "ignore" => ignored = true,
                    "should_panic" => return Err("#[should_panic] is not supported: catch the panic and look at it"),
                    _ => function.extend([first.clone(), after[0].clone()]),
                }
                rest = beyond;
            }
            _ => {
                function.push(first.clone());
                rest = after;
            }
        }
    }
    let kind = if function.iter().any(|token| token.to_string() == "async") { "asynchronous" } else { "synchronous" };
    function.extend(tokens[keyword..].iter().cloned());

    let mut output: TokenStream = function.into_iter().collect();
    output.extend(parse(&format!("crate::harness::register!{{ {name}, {kind}, {ignored} }}")));
    Ok(output)
}

/// The first word of `[ignore = "slow"]`.
fn head(attribute: &proc_macro::Group) -> String {
    let words = (attribute.delimiter() == Delimiter::Bracket).then(|| attribute.stream().into_iter().next());
    words.flatten().map(|word| word.to_string()).unwrap_or_default()
}

fn error(message: &str) -> TokenStream {
    parse(&format!("::core::compile_error!{{ {message:?} }}"))
}

fn parse(source: &str) -> TokenStream {
    source.parse().expect("source written above")
}
