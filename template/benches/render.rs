//! Time to parse and render the two templates that the project compares itself by, and to render them alone.
//!
//! `cargo bench -p template --bench render`. The first is what most Secrets hold, a connection string; the second uses variables,
//! decisions, a loop, `printf` and a template of its own.
#![expect(clippy::expect_used, reason = "a template that does not parse leaves nothing to measure")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use template::{Data, Limits, Options, Template};

const CONNECTION: &[u8] = b"postgres://{{ .username }}:{{ .password }}@db:5432/app";

const CONFIGURATION: &[u8] = br#"{{- $user := .username -}}
{{- $port := 5432 -}}
{{- define "host" }}{{ .name }}.db.svc{{ end -}}
{{- if and (eq .env "prod") $user }}tls=on
{{ else }}tls=off
{{ end -}}
{{ range $index, $zone := list "a" "b" "c" }}host{{ $index }}={{ printf "%s-%s:%d" $user $zone $port }}
{{ end }}{{ template "host" . }}
"#;

fn data() -> Data {
    Data::from_iter([("username", "app"), ("password", "s3cr3t-Pa55word"), ("env", "prod"), ("name", "main")])
}

fn benches(criterion: &mut Criterion) {
    let (limits, options, data) = (Limits::default(), Options::default(), data());
    for (name, text) in [("connection", CONNECTION), ("configuration", CONFIGURATION)] {
        let parse = || Template::parse("config", black_box(text), &limits).expect("the template is well-formed");
        let parsed = parse();
        let render = |parsed: &Template| parsed.render(black_box(&data), &options).expect("the data fits");
        criterion.bench_function(&format!("{name}/parse"), |bench| bench.iter(parse));
        criterion.bench_function(&format!("{name}/render"), |bench| bench.iter(|| render(&parsed)));
        criterion.bench_function(&format!("{name}/parse and render"), |bench| bench.iter(|| render(&parse())));
    }
}

criterion_group!(templates, benches);
criterion_main!(templates);
