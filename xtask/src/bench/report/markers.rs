use anyhow::{Context, Result};

pub(in crate::bench) const BEGIN: &str =
    "<!-- bench: from here to the end mark, `cargo xtask bench` writes -->";
pub(in crate::bench) const END: &str = "<!-- bench: end -->";

/// Puts generated text between the marks.
pub(in crate::bench) fn replace(document: &str, generated: &str) -> Result<String> {
    let (before, rest) = document
        .split_once(BEGIN)
        .with_context(|| format!("there is no line {BEGIN}"))?;
    let (_, after) = rest
        .split_once(END)
        .with_context(|| format!("there is no line {END}"))?;
    Ok(format!("{before}{BEGIN}\n\n{generated}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let document = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let replaced = replace(&document, "new\n").unwrap();
        assert_eq!(
            replaced,
            format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n")
        );
        assert_eq!(replace(&replaced, "new\n").unwrap(), replaced);
    }

    #[test]
    fn a_document_without_marks_is_left_alone() {
        assert!(replace("", "new").is_err());
        assert!(replace(BEGIN, "new").is_err());
    }
}
