/// Columns of text under their titles, two spaces apart; without a line break at the end.
pub(crate) fn table<const N: usize>(titles: [&str; N], rows: &[[String; N]]) -> String {
    let titles = titles.map(str::to_owned);
    let mut widths = [0; N];
    for row in rows.iter().chain([&titles]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths);
        let padded: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let lines: Vec<String> = [&titles].into_iter().chain(rows).map(line).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [["jürgen", "never", ""], ["a", "tomorrow", "b"]];
        let rows = rows.map(|row| row.map(str::to_owned));
        assert_eq!(
            table(["NAME", "EXPIRES", "GROUPS"], &rows),
            "NAME    EXPIRES   GROUPS\njürgen  never\na       tomorrow  b"
        );
        assert_eq!(table(["NAME", "X"], &[]), "NAME  X");
    }
}
