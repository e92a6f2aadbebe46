//! Words that Terraform reads as something else than text: its `yamldecode` follows YAML 1.1, where `on` is true and
//! `010` a number. The job would look for a table `on`, Terraform would make one named `true`.

use granit_parser::{Event, Parser, ScalarStyle};

/// Each such word of the file: its place (`:4:7`), and what to do. Nothing where the file is no YAML; its reader tells.
pub(super) fn problems(text: &str) -> Vec<(String, String)> {
    let scalars = Parser::new_from_str(text).map_while(Result::ok).filter_map(|(event, span)| match event {
        Event::Scalar(word, ScalarStyle::Plain, _, None) => Some((word, span)),
        _ => None,
    });
    let problems = scalars.filter_map(|(word, span)| {
        let place = format!(":{}:{}", span.start.line(), span.start.col() + 1);
        // No value at all is told by what should stand there.
        let kind = kind(&word).filter(|_| span.start.index() < span.end.index())?;
        Some((place, format!("{word} is {kind} for Terraform, which reads YAML 1.1: put it in quotes, \"{word}\"")))
    });
    problems.collect()
}

/// What YAML 1.1 takes a plain word for, where that is not text. Some of this Terraform takes as text all the same
/// (`0b1`, `1_000`); in quotes it is text for everybody.
/// <https://yaml.org/type/>
fn kind(word: &str) -> Option<&'static str> {
    const TRUTHS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "true", "false"];
    let lower = word.to_ascii_lowercase();
    let all_upper = word.bytes().all(|b| !b.is_ascii_lowercase());
    let written_so = word == lower || all_upper || word.bytes().skip(1).all(|b| !b.is_ascii_uppercase());
    match lower.as_str() {
        truth if written_so && TRUTHS.contains(&truth) => Some("a truth"),
        "null" | "~" if written_so => Some("nothing"),
        "<<" => Some("a merge"),
        number if is_number(number) => Some("a number"),
        date if is_date(date) => Some("a time"),
        _ => None,
    }
}

fn is_number(lower: &str) -> bool {
    let digits = lower.strip_prefix(['+', '-']).unwrap_or(lower).replace('_', "");
    let of = |prefix: &str, radix: u32| {
        let rest = digits.strip_prefix(prefix);
        rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|digit| digit.is_digit(radix)))
    };
    let begins = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let sexagesimal = |text: &str| {
        let parts: Vec<&str> = text.split(':').collect();
        parts.len() > 1
            && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
    };
    (begins && (digits.parse::<f64>().is_ok() || sexagesimal(&digits)))
        || of("0x", 16)
        || of("0o", 8)
        || of("0b", 2)
        || matches!(digits.as_str(), ".inf" | ".nan")
}

/// `2026-11-22`, alone or before a time of day.
fn is_date(lower: &str) -> bool {
    let day = lower.split(['t', ' ']).next().unwrap_or_default();
    let parts: Vec<&str> = day.split('-').collect();
    let digits =
        |part: &str, lengths: &[usize]| lengths.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    matches!(parts[..], [year, month, day] if digits(year, &[4]) && digits(month, &[1, 2]) && digits(day, &[1, 2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_yaml_1_1_takes_for_another_type_is_told_apart_from_text() {
        // Tried with Terraform 1.11.4, but for those that it takes as text.
        for (words, expected) in [
            ("y Y n yes Yes NO on On OFF true TRUE", "a truth"),
            ("null Null NULL ~", "nothing"),
            ("1e3 010 08 0 -5 +5 0x1f 0o10 .5 1. 1e+3 12e03 1_000 0b1 190:20:30 .inf .NaN", "a number"),
            ("2026-11-22 2001-12-14t21:59:43.10-05:00", "a time"),
        ] {
            for word in words.split(' ') {
                assert_eq!(kind(word), Some(expected), "{word}");
            }
        }
        for text in
            "orders once yESs 2fa_codes 1e3x y2k nullable public.users core.user 0xg 2026-11 a-b - . = oN".split(' ')
        {
            assert_eq!(kind(text), None, "{text}");
        }
    }

    #[test]
    fn each_is_told_with_its_place_and_in_quotes_it_is_text() {
        let text =
            "databases:\n  on:\n    dataset: no\n    tables:\n      1e3: {}\n      \"010\": {}\n      'null': {}\n";
        let told: Vec<String> = problems(text).into_iter().map(|(place, problem)| place + " " + &problem).collect();
        assert_eq!(
            told,
            [
                ":2:3 on is a truth for Terraform, which reads YAML 1.1: put it in quotes, \"on\"",
                ":3:14 no is a truth for Terraform, which reads YAML 1.1: put it in quotes, \"no\"",
                ":5:7 1e3 is a number for Terraform, which reads YAML 1.1: put it in quotes, \"1e3\"",
            ]
        );
    }
}
