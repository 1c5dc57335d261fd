//! What differs between a row and what the log says of it, in a line.

use serde::Serialize;
use serde_json::Value;

/// The first column that differs from those of the row that is expected, with both values; the whole row where none is.
pub(super) fn first<T: Serialize>(found: &T, expected: Option<&T>) -> String {
    let shown = |row: &T| serde_json::to_value(row).unwrap_or_default();
    let found = shown(found);
    match (&found, expected.map(shown)) {
        (Value::Object(found), Some(Value::Object(expected))) => {
            let differing = found.iter().find(|(column, value)| expected.get(*column) != Some(*value));
            differing.map_or_else(
                || "as a whole".to_owned(),
                |(column, value)| format!("{column} is {value}, not {}", expected.get(column).unwrap_or(&Value::Null)),
            )
        }
        _ => format!("nothing is to be there, and {found} is"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Row {
        issued_pos: i64,
        values: Vec<&'static str>,
    }

    #[test]
    fn the_first_column_that_differs_is_shown_with_both_values_and_a_row_too_many_as_it_is() {
        let row = Row { issued_pos: 7, values: vec!["red"] };

        let other = Row { issued_pos: 7, values: vec!["blue", "red"] };
        assert_eq!(first(&row, Some(&other)), r#"values is ["red"], not ["blue","red"]"#);
        assert_eq!(first(&row, Some(&row)), "as a whole");
        assert_eq!(first(&row, None), r#"nothing is to be there, and {"issued_pos":7,"values":["red"]} is"#);
    }
}
