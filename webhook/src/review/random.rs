//! Bodies that nobody would write: random ones, and reviews of good objects with random damage. Whatever they are, the
//! answer is an AdmissionReview, and none of it comes from a panic that was caught.
//!
//! `WEBHOOK_SEED` tries others, `WEBHOOK_BODIES` more.

use serde_json::json;

use super::*;

/// So many of each kind, unless told otherwise.
const BODIES: u64 = 10_000;

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn each_body(what: &str, mut body: impl FnMut(&mut Random) -> Vec<u8>) -> usize {
    let seed = from_environment("WEBHOOK_SEED", 20_261);
    let mut allowed = 0;
    for number in 0..from_environment("WEBHOOK_BODIES", BODIES) {
        let body = body(&mut Random(seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15))));
        let shown = || format!("{what} {number} of seed {seed}: {}", String::from_utf8_lossy(&body));
        let bytes = answer(&body, "ExternalSecret", &Syntax::default());
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error}: {}", shown()));
        let response = &answer["response"];
        let is_review = answer["kind"] == "AdmissionReview" && response["uid"].is_string();
        assert!(is_review && response["allowed"].is_boolean(), "{answer} to {}", shown());
        assert_ne!(response["status"]["code"], 500, "{}", shown());
        if response["allowed"] == false {
            let message = response["status"]["message"].as_str().unwrap_or_default();
            assert!(!message.is_empty(), "a refusal without a word to {}", shown());
        }
        allowed += usize::from(response["allowed"] == true);
    }
    allowed
}

#[test]
fn any_bytes_are_answered_by_a_review() {
    let allowed = each_body("body", |random| match random.below(4) {
        0 => (0..random.below(200)).map(|_| random.byte()).collect(),
        1 => serde_json::to_vec(&random.value(5)).unwrap(),
        2 => {
            let mut body = serde_json::to_vec(&review(&spec())).unwrap();
            body.truncate(random.below(body.len()));
            body
        }
        _ => {
            let mut body = serde_json::to_vec(&review(&spec())).unwrap();
            for _ in 0..=random.below(5) {
                let place = random.below(body.len());
                body[place] = random.byte();
            }
            body
        }
    });
    assert!(allowed > 0, "some damage is harmless");
}

#[test]
fn damaged_external_secrets_are_answered_by_a_review() {
    let allowed = each_body("object", |random| {
        let mut body = review(&spec());
        for _ in 0..=random.below(4) {
            let object = body.pointer_mut("/request/object");
            random.damage(object.unwrap_or(&mut Value::Null));
        }
        if random.below(8) == 0 {
            random.damage(&mut body);
        }
        serde_json::to_vec(&body).unwrap()
    });
    assert!(allowed > 0, "some damage is harmless");
}

#[test]
fn what_is_damaged_here_is_good() {
    let answer = answer(review(&spec()).to_string().as_bytes(), "ExternalSecret", &Syntax::default());
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["response"]["allowed"], true, "{answer}");
}

fn review(spec: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "u", "operation": "CREATE", "name": "db", "namespace": "team-a",
            "kind": {"group": "external-secrets.io", "version": "v1", "kind": "ExternalSecret"},
            "object": {"metadata": {"name": "db", "namespace": "team-a"}, "spec": spec}
        }
    })
}

/// Everything that an ExternalSecret can say, once.
fn spec() -> Value {
    let remote = json!({
        "key": "apps/db", "property": "user.name", "version": "3", "decodingStrategy": "Base64",
        "conversionStrategy": "Unicode", "metadataPolicy": "Fetch", "nullBytePolicy": "Fail"
    });
    let store = json!({"name": "vault", "kind": "ClusterSecretStore"});
    json!({
        "secretStoreRef": store, "refreshInterval": "1h0m", "refreshPolicy": "Periodic",
        "syncWindows": {"kind": "allow", "windows": [{"schedule": "0 3 * * 1-5", "duration": "2h"}]},
        "target": {
            "name": "db", "creationPolicy": "Owner", "deletionPolicy": "Retain", "immutable": false,
            "template": {
                "engineVersion": "v2", "mergePolicy": "Merge", "type": "Opaque",
                "metadata": {"labels": {"a": "{{ .user }}"}, "annotations": {"b": "c"}, "finalizers": ["example.com/x"]},
                "data": {"dsn": "{{ range $k, $v := . }}{{ $k | upper }}={{ $v | b64enc }}{{ end }}"},
                "templateFrom": [
                    {"target": "Data", "literal": "{{ .user }}"},
                    {"configMap": {"name": "t", "items": [{"key": "k", "templateAs": "KeysAndValues"}]}}
                ]
            }
        },
        "data": [{"secretKey": "user", "remoteRef": remote.clone(), "sourceRef": {"storeRef": store.clone()}}],
        "dataFrom": [
            {"extract": remote, "rewrite": [
                {"regexp": {"source": "^(.*)-(.*)$", "target": "$2_$1"}},
                {"transform": {"template": "{{ .value | lower }}"}},
                {"merge": {"into": "all", "strategy": "JSON", "conflictPolicy": "Error", "priority": ["a"]}}
            ]},
            {"find": {"path": "apps", "name": {"regexp": "^db-.*"}, "tags": {"env": "prod"}}}
        ]
    })
}

/// Texts on which parsers have stumbled: none of them is right everywhere.
const TEXTS: &[&str] = &[
    "",
    " ",
    "\0",
    "{{",
    "{{ .a",
    "}}",
    "{{ define \"x\" }}{{ template \"x\" }}{{ end }}",
    "(",
    "[",
    "(a*)*",
    "\\",
    "$9",
    "${",
    "-1h",
    "1e9h",
    "99999999999h",
    "9223372036854775807ns",
    "* * * * *",
    "0 0 31 2 *",
    "@every 1s",
    "../..",
    "a/../b",
    "\u{202e}",
    "ä",
    "𝒳",
    "null",
    "true",
    "http://[::1",
    "//",
    "2026-02-30",
    "Merge",
    "owner",
    "Ownr",
];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 16
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }

    fn text(&mut self) -> String {
        match self.below(5) {
            0 => "a".repeat(self.below(3_000)),
            1 => TEXTS[self.below(TEXTS.len())].repeat(1 + self.below(40)),
            _ => TEXTS[self.below(TEXTS.len())].to_owned(),
        }
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 5 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!([0, -1, i64::MAX, i64::MIN][self.below(4)]),
            3 => json!([0.5, 1e308, -0.0][self.below(3)]),
            4 => json!(self.text()),
            5 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
            6 => (0..self.below(4)).map(|_| (self.text(), self.value(depth - 1))).collect(),
            _ => (0..60 + self.below(100)).fold(self.value(depth - 1), |inner, _| json!([inner])),
        }
    }

    /// Replaces, removes, adds or repeats something somewhere.
    fn damage(&mut self, value: &mut Value) {
        let children = match value {
            Value::Array(list) => list.len(),
            Value::Object(map) => map.len(),
            _ => 0,
        };
        if children > 0 && self.below(5) > 0 {
            let child = self.below(children);
            return match value {
                Value::Array(list) => self.damage(&mut list[child]),
                Value::Object(map) => map.values_mut().skip(child).take(1).for_each(|inner| self.damage(inner)),
                _ => {}
            };
        }
        let child = self.below(children);
        match value {
            Value::Array(list) if children > 0 && self.below(2) == 0 => {
                let again = list[child].clone();
                list.extend(vec![again; 1 + self.below(20)]);
            }
            Value::Object(map) if self.below(2) == 0 => {
                map.insert(self.text(), Value::Null);
            }
            Value::Object(map) if children > 0 && self.below(2) == 0 => {
                let name = map.keys().nth(child).cloned().unwrap_or_default();
                map.remove(&name);
            }
            value => *value = self.value(3),
        }
    }
}
