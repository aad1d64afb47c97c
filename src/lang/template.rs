//! Sentences with gaps: `{1} of {2} messages are lost`.

/// A sentence with gaps, and its translation, which may have them in another order.
pub struct Template {
    /// The text before, between and after the gaps.
    literals: Vec<String>,
    translation: Vec<Piece>,
}

enum Piece {
    Literal(String),
    /// The gap's number, from zero.
    Gap(usize),
}

/// Attempts at matching one text, so that none takes for ever.
const MAX_ATTEMPTS: usize = 10_000;

impl Template {
    /// A template; `None` for a sentence without gaps.
    pub fn parse(english: &str, translation: &str) -> Option<Template> {
        let mut literals = vec![String::new()];
        let pieces = pieces(english);
        for piece in pieces {
            match piece {
                Piece::Literal(text) => literals.last_mut()?.push_str(&text),
                Piece::Gap(_) => literals.push(String::new()),
            }
        }
        (literals.len() > 1).then(|| Template { literals, translation: self::pieces(translation) })
    }

    /// Whether its first gap comes after some text.
    pub fn begins_with_text(&self) -> bool {
        self.literals.first().is_some_and(|text| !text.is_empty())
    }

    /// How much of the sentence is fixed, in bytes.
    pub fn weight(&self) -> usize {
        self.literals.iter().map(String::len).sum()
    }

    /// What stands in the gaps, if `text` was made from this template. The first gaps take as little as they can.
    pub fn matches<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let [first, inner @ .., last] = &self.literals[..] else { return None };
        let rest = text.strip_prefix(first.as_str())?.strip_suffix(last.as_str())?;
        let mut parts = Vec::new();
        let mut attempts = 0;
        fits(inner, rest, &mut parts, &mut attempts).then_some(parts)
    }

    /// The translation with these parts in its gaps.
    pub fn fill(&self, parts: &[String]) -> String {
        let said = self.translation.iter().map(|piece| match piece {
            Piece::Literal(text) => text.as_str(),
            Piece::Gap(number) => parts.get(*number).map_or("", String::as_str),
        });
        said.collect()
    }
}

/// Whether `text` is gap, literal, gap, …, gap.
fn fits<'t>(literals: &[String], text: &'t str, parts: &mut Vec<&'t str>, attempts: &mut usize) -> bool {
    let Some((literal, others)) = literals.split_first() else {
        parts.push(text);
        return true;
    };
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find(literal.as_str())) {
        *attempts += 1;
        if *attempts > MAX_ATTEMPTS {
            return false;
        }
        let at = from + found;
        parts.push(&text[..at]);
        if fits(others, &text[at + literal.len()..], parts, attempts) {
            return true;
        }
        parts.pop();
        from = at + text[at..].chars().next().map_or(1, char::len_utf8);
    }
    false
}

/// Splits at `{1}`, `{2}`, …
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        literal.push_str(before);
        let gap = after.find('}').and_then(|close| {
            let number: usize = after[1..close].parse().ok().filter(|number| (1..=99).contains(number))?;
            Some((number - 1, close + 1))
        });
        match gap {
            Some((number, end)) => {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                pieces.push(Piece::Gap(number));
                rest = &after[end..];
            }
            None => {
                literal.push('{');
                rest = &after[1..];
            }
        }
    }
    literal.push_str(rest);
    pieces.push(Piece::Literal(literal));
    pieces
}
