//! The text of a sync's query: one statement, which becomes a part of a longer one, and whose lines stay the user's own.

/// The text up to the end of its only statement: no last semicolon, and no comment behind it. What stands before is left,
/// so that a line keeps its number. Empty where there is no statement; an error says on which line a second one begins.
pub fn statement(text: &str) -> Result<&str, usize> {
    let text = text.trim_start_matches('\u{feff}');
    let (mut end, mut at, mut is_over) = (0, 0, false);
    while at < text.len() {
        let token = Token::at(&text[at..]);
        match token.kind {
            Kind::Blank => {}
            Kind::Semicolon => is_over = end > 0,
            Kind::Code if is_over => return Err(line_of(text, at)),
            Kind::Code => end = at + token.bytes,
        }
        at += token.bytes;
    }
    Ok(if end == 0 { "" } else { &text[..end] })
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

struct Token {
    kind: Kind,
    bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    /// White space or a comment.
    Blank,
    Semicolon,
}

impl Token {
    /// The first one of a text that is not empty. Source: GoogleSQL, "Lexical structure and syntax".
    fn at(text: &str) -> Self {
        let token = |kind, bytes| Self { kind, bytes };
        let first = text.chars().next().map_or(1, char::len_utf8);
        if text.starts_with("--") || text.starts_with('#') {
            return token(Kind::Blank, text.find('\n').unwrap_or(text.len()));
        }
        if let Some(comment) = text.strip_prefix("/*") {
            // One without an end is left for BigQuery to complain of.
            return comment.find("*/").map_or(token(Kind::Code, text.len()), |end| token(Kind::Blank, end + 4));
        }
        if let Some(quote) = ["\"\"\"", "'''", "\"", "'", "`"].into_iter().find(|quote| text.starts_with(quote)) {
            return token(Kind::Code, quoted(text, quote));
        }
        match &text[..first] {
            ";" => token(Kind::Semicolon, 1),
            one if one.trim().is_empty() => token(Kind::Blank, first),
            _ => token(Kind::Code, first),
        }
    }
}

/// The length of what begins with `quote` and ends with the next one; also in a raw string no backslash is the last byte.
fn quoted(text: &str, quote: &str) -> usize {
    let mut at = quote.len();
    while at < text.len() {
        if text[at..].starts_with(quote) {
            return at + quote.len();
        }
        let escaped = usize::from(text[at..].starts_with('\\'));
        at += text[at..].chars().take(1 + escaped).map(char::len_utf8).sum::<usize>();
    }
    text.len()
}

/// BigQuery's words about `sql`, which holds `query` on lines of its own, with every place in it (`[12:5]`) as the query's author counts.
pub fn in_own_lines(told: &str, sql: &str, query: &str) -> String {
    let before = sql.rfind(&format!("\n{query}\n")).map_or(0, |at| sql[..=at].matches('\n').count());
    let lines = query.matches('\n').count() + 1;
    let (mut own, mut rest) = (String::with_capacity(told.len()), told);
    while let Some((text, line, column, behind)) = next_place(rest) {
        let place = match line.checked_sub(before) {
            Some(line) if (1..=lines).contains(&line) => format!("{line}:{column}"),
            Some(line) if line > lines => "behind the query's last line".to_owned(),
            _ => "where its key is named".to_owned(),
        };
        own.extend([text, "[", &place, "]"]);
        rest = behind;
    }
    own + rest
}

/// What stands before the first `[12:5]`, its two numbers, and what stands behind it.
fn next_place(text: &str) -> Option<(&str, usize, usize, &str)> {
    text.match_indices('[').find_map(|(at, _)| {
        let (inside, behind) = text[at + 1..].split_once(']')?;
        let (line, column) = inside.split_once(':')?;
        Some((&text[..at], line.parse().ok()?, column.parse().ok()?, behind))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_ends_before_its_semicolon_and_the_comments_behind_it() {
        for (text, expected) in [
            ("SELECT 1", "SELECT 1"),
            ("SELECT 1;", "SELECT 1"),
            ("SELECT '1' AS id, CAST(1 AS INT64) AS x; -- pick\n", "SELECT '1' AS id, CAST(1 AS INT64) AS x"),
            ("SELECT '1' AS id, CAST(1 AS INT64) AS x; /* b */\n", "SELECT '1' AS id, CAST(1 AS INT64) AS x"),
            ("SELECT 1 # a\n; -- b\n ;; /* c; */ # d", "SELECT 1"),
            ("SELECT 1 -- no end of line", "SELECT 1"),
            ("\u{feff}\n\n-- users\nSELECT 1\n;\n", "\n\n-- users\nSELECT 1"),
            ("SELECT ';--' AS a /* ; */ , 2;", "SELECT ';--' AS a /* ; */ , 2"),
            ("SELECT \"a\\\";\" AS a; --", "SELECT \"a\\\";\" AS a"),
            ("SELECT '''a';'b''' -- c", "SELECT '''a';'b'''"),
            ("SELECT \"\"\"; -- \"\" \"\"\";", "SELECT \"\"\"; -- \"\" \"\"\""),
            ("SELECT r'\\';' AS a;", "SELECT r'\\';' AS a"),
            ("SELECT `a;--b` FROM `c#d`;", "SELECT `a;--b` FROM `c#d`"),
            ("SELECT 2-1, 3/4, 本;", "SELECT 2-1, 3/4, 本"),
            ("SELECT 1 /* no end; ", "SELECT 1 /* no end; "),
            ("SELECT 'no end; ", "SELECT 'no end; "),
            ("", ""),
            (" ;\n-- nothing\n/* at all */;", ""),
        ] {
            assert_eq!(statement(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn a_second_statement_is_told_with_its_line() {
        for (text, line) in [("SELECT 1; SELECT 2", 1), ("DECLARE x INT64;\n\n-- then\nSELECT x;\n", 4), (";;a;\nb", 2)]
        {
            assert_eq!(statement(text), Err(line), "{text:?}");
        }
    }

    #[test]
    fn places_are_told_as_the_author_counts() {
        let query = "\n-- users\nSELECT id\nFORM users";
        let sql = format!("CREATE TABLE t\nAS SELECT s.*, CAST(`id` AS STRING)\nFROM (\n{query}\n) AS s");
        let told = |told| in_own_lines(told, &sql, query);
        assert_eq!(told("Syntax error: Unexpected FORM at [7:1]"), "Syntax error: Unexpected FORM at [4:1]");
        assert_eq!(told("[5:1] and [4:9], not a[0] or [x:y] or [1]"), "[2:1] and [1:9], not a[0] or [x:y] or [1]");
        assert_eq!(told("Unrecognized name: id at [2:22]"), "Unrecognized name: id at [where its key is named]");
        assert_eq!(told("Expected \")\" at [8:1]"), "Expected \")\" at [behind the query's last line]");
        assert_eq!(told("Not found: table users"), "Not found: table users");
    }
}
