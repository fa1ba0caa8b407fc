//! What the cases of real Go do not show: our own choices and the interface of the crate.

use std::time::{Duration, SystemTime};

use template::{Data, Delimiters, Error, Limits, MissingKey, Options, Phase, Template, check, functions};

fn data() -> Data {
    Data::from_iter([("user", "bob"), ("secret", "s3cr3t-value")])
}

fn render(text: &str) -> Result<String, Error> {
    render_with(text, &Options::default())
}

fn render_with(text: &str, options: &Options) -> Result<String, Error> {
    let output = Template::parse("k", text.as_bytes(), &options.limits)?.render(&data(), options)?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

fn limited(limits: Limits) -> Options {
    Options { limits, ..Options::default() }
}

#[test]
fn templates_and_data_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Template>();
    crosses::<Data>();
    crosses::<Error>();
}

#[test]
fn a_template_renders_again_and_again() {
    let template = Template::parse("k", b"{{ $d := dict }}{{ $_ := set $d \"n\" 1 }}{{ len $d }}", &Limits::default());
    let template = template.unwrap();
    for _ in 0..3 {
        assert_eq!(template.render(&data(), &Options::default()).unwrap(), b"1");
    }
}

#[test]
fn delimiters_can_be_chosen() {
    let delimiters = Delimiters::new("<%", "%>");
    let text = b"<% .user %> {{ .user }} <%- /* gone */ -%> !";
    let template = Template::parse_with("k", text, &delimiters, &Limits::default()).unwrap();
    assert_eq!(template.render(&data(), &Options::default()).unwrap(), b"bob {{ .user }}!");
}

#[test]
fn an_absent_key_is_an_error_or_a_text() {
    assert_eq!(render("{{ .absent }}").unwrap_err().phase(), Phase::Execute);
    let options = Options { missing_key: MissingKey::Default, ..Options::default() };
    assert_eq!(render_with("{{ .absent }}{{ .absent.more }}", &options).unwrap(), "<no value><no value>");
}

#[test]
fn the_redacted_text_keeps_everything_but_the_value() {
    let error = render("{{ range .secret }}{{ end }}").unwrap_err();
    assert_eq!(error.exact(), "template: k:1:9: executing \"k\" at <.secret>: range can't iterate over s3cr3t-value");
    assert_eq!(error.redacted(), "template: k:1:9: executing \"k\" at <.secret>: range can't iterate over [hidden]");
    assert_eq!(error.to_string(), error.redacted());
    assert!(!format!("{error:?}").contains("s3cr3t"));
    assert!(!format!("{:?}", data()).contains("s3cr3t"));
}

#[test]
fn bytes_that_are_no_text_are_escaped_where_errors_quote_the_template() {
    let error = Template::parse("k", b"{{\"\xff\".n", &Limits::default()).map(drop).unwrap_err();
    assert_eq!(error.exact(), r#"template: k:1: unexpected . after term "\"\xff\"""#);
}

#[test]
fn checking_finds_unknown_functions_without_data() {
    assert!(check("k", b"{{ .a.b | upper }}{{ if .c }}x{{ end }}").is_ok());
    let error = check("k", b"a\n{{ tpl .a }}").unwrap_err();
    assert_eq!((error.phase(), error.redacted()), (Phase::Parse, "template: k:2: function \"tpl\" not defined"));
}

#[test]
fn each_limit_ends_the_work_it_is_about() {
    let base = Limits::default;
    for (text, limits) in [
        ("{{/* long */}}", Limits { text_bytes: 5, ..base() }),
        ("{{if 1}}{{if 1}}{{end}}{{end}}", Limits { block_depth: 2, ..base() }),
        ("{{ ((1)) }}", Limits { paren_depth: 1, ..base() }),
        ("{{define \"r\"}}{{template \"r\"}}{{end}}{{template \"r\"}}", Limits { call_depth: 10, ..base() }),
        ("{{range 100}}{{end}}", Limits { steps: 100, ..base() }),
        ("{{range 100}}x{{end}}", Limits { output_bytes: 99, ..base() }),
        ("{{$x := repeat 100 \"x\"}}", Limits { value_bytes: 99, ..base() }),
        ("{{range 10}}{{$x := repeat 100 \"x\"}}{{end}}", Limits { total_bytes: 500, ..base() }),
        ("{{range 100000}}{{end}}", Limits { deadline: Duration::ZERO, ..base() }),
    ] {
        assert!(render_with(text, &limited(limits)).is_err(), "{text}");
        assert!(render(text).is_ok() || text.contains("define"), "{text}");
    }
}

#[test]
fn now_is_the_instant_of_the_options() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365);
    let options = Options { now, ..Options::default() };
    assert_eq!(render_with("{{ now | date \"2006-01-02\" }}", &options).unwrap(), "1971-01-01");
    assert_eq!(render_with("{{ (now.AddDate 1 1 -1).Format \"Jan 2 06\" }}", &options).unwrap(), "Jan 31 72");
    assert_eq!(render_with("{{ ago 0 }}", &options).unwrap(), "8760h0m0s");
}

#[test]
fn the_table_documents_each_function_once() {
    let names: Vec<&str> = functions().map(|function| function.name).collect();
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "sorted, and none twice");
    let replace = functions().find(|function| function.name == "replace").map(template::FunctionDoc::signature);
    assert_eq!(replace.as_deref(), Some("replace(string, string, string) string"));
}

#[test]
fn a_map_that_contains_itself_is_an_error_to_print_and_no_leak() {
    let text = "{{ $d := dict }}{{ $_ := set $d \"self\" $d }}";
    assert_eq!(render(text).unwrap(), "");
    let error = render(&format!("{text}{{{{ $d }}}}")).unwrap_err();
    assert!(error.redacted().contains("nest more than"), "{error}");
}
