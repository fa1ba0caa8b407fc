//! A property of a JSON document by its path, in the dialect of the Go library gjson that users write.
//!
//! The path comes from a user, the document from a backend, and the library recurses and copies without bounds of its
//! own. So both are measured first, and a path that could cost too much is refused.

use gjson::Kind;

use super::write::plain_float;
use crate::secret_bytes::SecretBytes;

/// Longest path: the library recurses once per part of it.
const MAX_PATH: usize = 1024;

/// Most memory that a path may make of a document; selectors (`[a,b]`) repeat parts of it.
const MAX_OUTPUT: f64 = 64.0 * 1024.0 * 1024.0;

/// Most steps of wildcard matching, which grows with a power of the text's length: well under a second.
const MAX_STEPS: f64 = 1e8;

/// Why a path is not looked up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refused(&'static str);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// What `path` selects of `json`, which must be valid JSON: text as it is, null as nothing, everything else as JSON.
/// `None`: nothing.
pub fn property(json: &str, path: &str) -> Result<Option<SecretBytes>, Refused> {
    refuse_excess(json, path)?;
    // The library indexes by hand; a path that it trips over is the user's to change, not the end of a reconcile.
    std::panic::catch_unwind(|| look_up(json, path)).map_err(|_| Refused("the path cannot be understood"))
}

fn look_up(json: &str, path: &str) -> Option<SecretBytes> {
    let found = gjson::get(json, path);
    found.exists().then(|| match found.kind() {
        Kind::Number => SecretBytes::from(plain_float(found.json())),
        _ => SecretBytes::from(found.str()),
    })
}

fn refuse_excess(json: &str, path: &str) -> Result<(), Refused> {
    if path.len() > MAX_PATH {
        return Err(Refused("the path is too long"));
    }
    if path.contains("@pretty:") {
        return Err(Refused("@pretty takes no argument here"));
    }
    if output_factor(path) * as_float(json.len()) > MAX_OUTPUT {
        return Err(Refused("the path repeats the value too often"));
    }
    if matching_steps(json, path) > MAX_STEPS {
        return Err(Refused("the path has too many wildcards for so long a value"));
    }
    Ok(())
}

/// How many times larger than the document the result can be at most. `g` selectors that share `c` commas repeat it at
/// most `((c + g) / g)^g` times, however they are nested.
fn output_factor(path: &str) -> f64 {
    let groups = as_float(path.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count());
    let commas = as_float(path.bytes().filter(|byte| *byte == b',').count());
    let repeated = if groups > 0.0 { ((commas + groups) / groups).powf(groups) } else { 1.0 };
    // Indentation: two spaces per level of a document that is at most 128 deep, before each value.
    if path.contains("@pretty") { repeated * 16.0 } else { repeated }
}

/// Matching `k` asterisks against a text takes at most its length to the power `k`.
fn matching_steps(json: &str, path: &str) -> f64 {
    let asterisks = path.bytes().filter(|byte| *byte == b'*').count();
    let longest = json.split('"').map(str::len).max().unwrap_or_default();
    match i32::try_from(asterisks) {
        Ok(0) => 0.0,
        Ok(asterisks) => as_float(json.len()) * as_float(longest).powi(asterisks - 1),
        Err(_) => f64::INFINITY,
    }
}

/// Exact for everything that fits into memory.
#[expect(clippy::cast_precision_loss, reason = "an estimate; exact below 2^53")]
const fn as_float(number: usize) -> f64 {
    number as f64
}
