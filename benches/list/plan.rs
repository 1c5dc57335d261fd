//! What the database says of how it came by a page, in a line.

/// The scans of a plan, and how many pages of 8 KiB they touched.
pub struct Plan {
    scans: Vec<(String, f64)>,
    pub pages: u64,
}

impl Plan {
    /// Reads the lines of `explain (analyze, buffers)`.
    pub fn of(lines: &[String]) -> Self {
        let pages = lines.iter().find_map(|line| line.trim().strip_prefix("Buffers: ")).map_or(0, pages_of);
        let mut scans: Vec<(String, f64)> = Vec::new();
        for line in lines.iter().filter(|line| line.contains(" Scan")) {
            let Some(name) = name_of(line) else { continue };
            let rows = number_after(line, " rows=") * number_after(line, " loops=");
            match scans.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += rows,
                None => scans.push((name, rows)),
            }
        }
        Self { scans, pages }
    }

    /// Each index or table with the rows that came of it.
    pub fn scans(&self) -> String {
        let scans: Vec<String> = self.scans.iter().map(|(name, rows)| format!("{rows:.0} {name}")).collect();
        scans.join(", ")
    }
}

/// The index of an index scan; of any other the scan's kind and the table.
fn name_of(line: &str) -> Option<String> {
    let node = line.trim().trim_start_matches("->").trim();
    let (kind, rest) = node.split_once(" using ").or_else(|| node.split_once(" on "))?;
    let name = rest.split(' ').next()?;
    if kind.contains("Index") || kind.contains("Subquery") || kind.contains("Function") {
        return (!kind.contains("Subquery")).then(|| format!("`{name}`"));
    }
    Some(format!("{kind} `{name}`"))
}

/// The number that follows the last `marker` of a line: of the actual run, not of the estimate.
fn number_after(line: &str, marker: &str) -> f64 {
    let tail = line.rsplit_once(marker).map_or("", |(_, tail)| tail);
    tail.split([' ', ')']).next().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Pages found in memory and pages read.
fn pages_of(buffers: &str) -> u64 {
    let numbers = buffers.split([' ', '=']).zip(buffers.split([' ', '=']).skip(1));
    numbers.filter(|(word, _)| ["hit", "read"].contains(word)).filter_map(|(_, text)| text.parse::<u64>().ok()).sum()
}
