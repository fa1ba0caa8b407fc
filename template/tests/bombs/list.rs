//! Templates that cost far more than they are worth.

use std::collections::BTreeMap;

/// How a bomb ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is small enough after all.
    Text,
    /// It is refused before it runs.
    Parse,
    /// It is stopped.
    Execute,
}

/// A template with its data.
pub struct Bomb {
    pub name: &'static str,
    pub template: String,
    pub data: BTreeMap<String, Vec<u8>>,
    pub end: End,
}

fn bomb(name: &'static str, end: End, template: impl Into<String>) -> Bomb {
    Bomb { name, template: template.into(), data: BTreeMap::new(), end }
}

fn with_data(name: &'static str, end: End, template: &str, value: Vec<u8>) -> Bomb {
    Bomb { data: BTreeMap::from([("x".to_owned(), value)]), ..bomb(name, end, template) }
}

/// What `piece` makes of each number below `count`.
fn each(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |text, at| text + &piece(at))
}

/// All of them.
pub fn all() -> Vec<Bomb> {
    [nesting(), loops(), sizes(), structures(), patterns(), texts(), keys()].into_iter().flatten().collect()
}

/// A template that reads a YAML list of what `items` writes. It makes the text itself, so that this list stays small.
fn listed(items: &str) -> String {
    format!("{{{{fromYaml (print \"a: [\" {items} \"]\") | len}}}}")
}

fn nesting() -> Vec<Bomb> {
    let times = |text: &str, count: usize| text.repeat(count);
    vec![
        bomb("parentheses without end", End::Parse, "{{ ".to_owned() + &times("(", 20_000)),
        bomb("parentheses", End::Parse, format!("{{{{ {}1{} }}}}", times("(", 20_000), times(")", 20_000))),
        bomb("if in if", End::Parse, times("{{if true}}", 20_000) + "x" + &times("{{end}}", 20_000)),
        bomb("with in range", End::Parse, times("{{range .}}{{with .}}", 10_000) + &times("{{end}}", 20_000)),
        bomb("block in block", End::Parse, times("{{block \"b\" .}}", 20_000) + &times("{{end}}", 20_000)),
        bomb("define in define", End::Parse, times("{{define \"b\"}}", 20_000)),
        bomb("else if", End::Text, times("{{if false}}", 1) + &times("{{else if false}}", 5_000) + "{{else}}y{{end}}"),
        bomb("fields", End::Execute, format!("{{{{ .{} }}}}", times("a.", 200_000) + "a")),
        bomb("pipeline", End::Text, "{{ 1".to_owned() + &times(" | print", 50_000) + " }}"),
        bomb("arguments", End::Text, "{{ len (list".to_owned() + &times(" 1", 100_000) + ") }}"),
        bomb("variables", End::Parse, each(20_000, |at| format!("{{{{$v{at} := 1}}}}"))),
        bomb("definitions", End::Text, each(20_000, |at| format!("{{{{define \"d{at}\"}}}}x{{{{end}}}}"))),
        bomb("text", End::Parse, times("x", (1 << 20) + 1)),
        bomb("actions", End::Parse, times("{{1}}", 200_000)),
        bomb("most actions", End::Text, times("{{1}}", 50_000)),
        bomb("comments", End::Text, times("{{/* c */}}", 90_000)),
        bomb("long names", End::Parse, format!("{{{{ {} }}}}", times("a", 1_000_000))),
    ]
}

fn loops() -> Vec<Bomb> {
    vec![
        bomb("range", End::Execute, "{{range 1000000000}}{{end}}"),
        bomb("range in range", End::Execute, "{{range 100000}}{{range 100000}}{{end}}{{end}}"),
        bomb("range that writes", End::Execute, "{{range 1000000000}}xxxxxxxxxxxxxxxxxxxxxxxx{{end}}"),
        bomb("template in itself", End::Execute, "{{define \"r\"}}{{template \"r\"}}{{end}}{{template \"r\"}}"),
        bomb(
            "by if",
            End::Execute,
            "{{define \"r\"}}{{if true}}{{template \"r\" .}}{{end}}{{end}}{{template \"r\" .}}",
        ),
        bomb(
            "by with",
            End::Execute,
            "{{define \"r\"}}{{with 1}}{{template \"r\" .}}{{end}}{{end}}{{template \"r\" .}}",
        ),
        bomb(
            "by range",
            End::Execute,
            "{{define \"r\"}}{{range 100}}{{template \"r\"}}{{end}}{{end}}{{template \"r\"}}",
        ),
        bomb("by block", End::Execute, "{{block \"r\" .}}{{template \"r\" .}}{{end}}"),
        bomb(
            "by two",
            End::Execute,
            "{{define \"a\"}}{{template \"b\"}}{{template \"b\"}}{{end}}{{define \"b\"}}{{template \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}",
        ),
        bomb(
            "without depth",
            End::Execute,
            each(60, |at| {
                format!("{{{{define \"d{at}\"}}}}{{{{template \"d{0}\"}}}}{{{{template \"d{0}\"}}}}{{{{end}}}}", at + 1)
            }) + "{{define \"d60\"}}x{{end}}{{template \"d0\"}}",
        ),
    ]
}

fn sizes() -> Vec<Bomb> {
    vec![
        bomb("repeat", End::Execute, "{{repeat 100000000 \"x\"}}"),
        bomb("repeat of repeat", End::Execute, "{{repeat 4000 (repeat 4000 \"x\")}}"),
        bomb("until", End::Execute, "{{until 50000000}}"),
        bomb("untilStep", End::Execute, "{{untilStep 0 9223372036854775807 1}}"),
        bomb("seq", End::Execute, "{{seq 1000000000}}"),
        bomb("indent", End::Execute, "{{indent 1000000000 \"x\"}}"),
        bomb("indent of many lines", End::Execute, "{{indent 100000 (repeat 100000 \"\\n\")}}"),
        bomb("width", End::Text, "{{printf \"%999999999d\" 1}}"),
        bomb("width of an argument", End::Text, "{{printf \"%*d\" 999999999 1}}"),
        bomb("precision", End::Text, "{{printf \"%.999999f\" 1.5}}"),
        bomb("widths", End::Execute, "{{range 100}}{{printf \"%1000000d\" 1}}{{end}}"),
        bomb(
            "parts of a URL",
            End::Execute,
            "{{$x := repeat 4000000 \"%\"}}{{urlJoin (dict \"scheme\" $x \"host\" $x \"path\" $x \"query\" $x \"fragment\" $x)}}",
        ),
        bomb(
            "part of a URL",
            End::Execute,
            "{{urlJoin (dict \"scheme\" \"a\" \"host\" \"b\" \"path\" (repeat 4000000 \"%\"))}}",
        ),
        bomb("escapes in JSON", End::Execute, "{{toJson (repeat 4000000 \"<\")}}"),
        bomb("escapes in pretty JSON", End::Execute, "{{toPrettyJson (list (repeat 4000000 \"\\x01\"))}}"),
        bomb("escapes in quotes", End::Execute, "{{quote (repeat 4000000 \"\\x00\")}}"),
        bomb("escapes in a format", End::Execute, "{{printf \"%q\" (repeat 4000000 \"\\x00\")}}"),
        bomb("spaced hexadecimal", End::Execute, "{{printf \"%# x\" (repeat 4000000 \"a\")}}"),
        bomb("escapes for JavaScript", End::Execute, "{{js (repeat 4000000 \"<\")}}"),
        bomb("escapes for HTML", End::Execute, "{{html (repeat 4000000 \"<\")}}"),
        bomb("escapes for a query", End::Execute, "{{urlquery (repeat 4000000 \"<\")}}"),
        bomb("escapes in a pattern", End::Execute, "{{regexQuoteMeta (repeat 4000000 \"*\")}}"),
        bomb("base 64", End::Execute, "{{b64enc (repeat 4000000 \"*\")}}"),
        bomb("separators", End::Execute, "{{join (repeat 4000 \"a\") (until 2000)}}"),
        bomb("separators of URLs", End::Execute, "{{replace \"\" (repeat 4000 \"a\") (repeat 4000 \"a\")}}"),
        bomb("indent of lines", End::Execute, "{{nindent 1000000 \"\\n\\n\\n\\n\"}}"),
        bomb("largest width", End::Execute, "{{printf \"%9999999d\" 1}}"),
        bomb("doubling", End::Execute, "{{$x := \"x\"}}{{range 40}}{{$x = print $x $x}}{{end}}"),
        bomb("doubling by cat", End::Execute, "{{$x := \"x\"}}{{range 40}}{{$x = cat $x $x}}{{end}}"),
        bomb("doubling by join", End::Execute, "{{$x := \"x\"}}{{range 40}}{{$x = join $x (list $x $x)}}{{end}}"),
        bomb("doubling by replace", End::Execute, "{{$x := \"x\"}}{{range 40}}{{$x = replace \"x\" \"xx\" $x}}{{end}}"),
        bomb(
            "doubling by escapes",
            End::Execute,
            "{{$x := \"<\"}}{{range 40}}{{$x = html $x}}{{end}}{{$x = repeat 400000 \"<\"}}{{range 40}}{{$x = html $x}}{{end}}",
        ),
        bomb("doubling by quotes", End::Execute, "{{$x := \"\\\"\"}}{{range 40}}{{$x = quote $x}}{{end}}"),
        bomb("doubling by JSON", End::Execute, "{{$x := \"\\\"\"}}{{range 40}}{{$x = toJson $x}}{{end}}"),
        bomb("doubling by hexadecimal", End::Execute, "{{$x := \"x\"}}{{range 40}}{{$x = printf \"%x\" $x}}{{end}}"),
        bomb("doubling by base 32", End::Execute, "{{$x := \"x\"}}{{range 80}}{{$x = b32enc $x}}{{end}}"),
        bomb("kept", End::Execute, "{{$l := list}}{{range 1000}}{{$l = append $l (repeat 4000000 \"x\")}}{{end}}"),
        bomb(
            "kept in a map",
            End::Execute,
            "{{$d := dict}}{{range $i := 1000}}{{$_ := set $d (print $i) (repeat 1000000 \"x\")}}{{end}}",
        ),
        bomb("division", End::Execute, "{{range 1000000}}{{$_ := divf 1e300 1e-300}}{{end}}"),
        bomb(
            "long division",
            End::Execute,
            "{{range 1000000}}{{$_ := divf 1.1e308 3.3e-308 7.7e-300 1.3e-300}}{{end}}",
        ),
        bomb(
            "multiplication",
            End::Execute,
            "{{range 1000000}}{{$_ := mulf 1.7e-300 1.7e-300 1.7e-300 1.7e-300}}{{end}}",
        ),
        bomb("addition", End::Execute, "{{range 1000000}}{{$_ := addf 1.7e-300 1.7e300}}{{end}}"),
        bomb("factorial", End::Execute, "{{$x := 1e308}}{{range 1000000}}{{$x = mulf $x 1e308 1e308 1e308}}{{end}}"),
        bomb("random", End::Execute, "{{randAlphaNum 1000000000}}"),
        bomb("wrapped", End::Execute, "{{wrapWith 1 (repeat 10000 \"y\") (repeat 1000000 \"x \")}}"),
        bomb("split", End::Execute, "{{range splitList \"\" (repeat 4000000 \"x\")}}{{.}}{{end}}"),
    ]
}

fn structures() -> Vec<Bomb> {
    const DOUBLED: &str = "{{$x := list 1}}{{range 60}}{{$x = list $x $x}}{{end}}";
    const SELF: &str = "{{$d := dict}}{{$_ := set $d \"self\" $d}}";
    let after = |start: &str, end: &str| format!("{start}{end}");
    vec![
        bomb("doubled list", End::Execute, after(DOUBLED, "{{$x}}")),
        bomb("doubled list as JSON", End::Execute, after(DOUBLED, "{{toJson $x}}")),
        bomb("doubled list as YAML", End::Execute, after(DOUBLED, "{{toYaml $x}}")),
        bomb("doubled list copied", End::Execute, after(DOUBLED, "{{deepCopy $x}}")),
        bomb(
            "doubled list compared",
            End::Execute,
            after(DOUBLED, "{{$y := deepCopy (list 1)}}{{range 60}}{{$y = list $y $y}}{{end}}{{deepEqual $x $y}}"),
        ),
        bomb("list in list", End::Execute, "{{$x := list 1}}{{range 100000}}{{$x = list $x}}{{end}}"),
        bomb("concatenated", End::Execute, "{{$x := list 1}}{{range 60}}{{$x = concat $x $x}}{{end}}"),
        bomb("appended", End::Execute, "{{$x := list}}{{range 1000000}}{{$x = append $x 1}}{{end}}"),
        bomb("map of itself", End::Execute, after(SELF, "{{$d}}")),
        bomb("map of itself as JSON", End::Execute, after(SELF, "{{toJson $d}}")),
        bomb("map of itself as YAML", End::Execute, after(SELF, "{{toYaml $d}}")),
        bomb("map of itself copied", End::Execute, after(SELF, "{{deepCopy $d}}")),
        bomb("map of itself printed", End::Execute, after(SELF, "{{printf \"%#v\" $d}}")),
        bomb(
            "map of itself compared",
            End::Execute,
            after(SELF, "{{$e := dict}}{{$_ := set $e \"self\" $e}}{{deepEqual $d $e}}"),
        ),
        bomb(
            "map of itself merged",
            End::Execute,
            after(SELF, "{{$e := dict}}{{$_ := set $e \"self\" $e}}{{merge $d $e}}"),
        ),
        bomb(
            "maps within each other",
            End::Execute,
            "{{$d := dict}}{{range 100000}}{{$d = dict \"a\" $d \"b\" $d}}{{end}}",
        ),
        bomb(
            "map that grows while visited",
            End::Text,
            "{{$d := dict \"a\" 1}}{{range $k, $v := $d}}{{$_ := set $d (print $k \"x\") 1}}{{end}}",
        ),
        bomb("many keys", End::Execute, "{{$d := dict}}{{range $i := 1000000}}{{$_ := set $d (print $i) $i}}{{end}}"),
        bomb("sets of lists", End::Execute, "{{$l := until 4000}}{{range 1000}}{{$_ := uniq $l}}{{end}}"),
        bomb("lists sorted", End::Execute, "{{$l := until 40000}}{{range 1000}}{{$_ := sortAlpha $l}}{{end}}"),
    ]
}

/// As many bytes, of which each is `a` or `b` and nothing tells which comes next.
fn coins(count: usize) -> Vec<u8> {
    let states = std::iter::successors(Some(1u64), |state| Some(state.wrapping_mul(6_364_136_223_846_793_005) + 1));
    states.map(|state| if state >> 63 == 0 { b'a' } else { b'b' }).take(count).collect()
}

fn patterns() -> Vec<Bomb> {
    // Each search must read all of the text before it knows that the match is short.
    const STATES: &str = "\"[ab]*a[ab]{300}c|a\"";
    vec![
        bomb("nested repetition", End::Execute, "{{regexMatch \"((a*)*)*b\" (repeat 4000000 \"a\")}}"),
        bomb("counted repetition", End::Execute, "{{mustRegexMatch \"((a{100}){100}){100}\" \"a\"}}"),
        bomb("counted classes", End::Execute, "{{mustRegexMatch \"(\\\\pL{1000}|\\\\pN{1000}){1}\" \"a\"}}"),
        bomb(
            "many patterns",
            End::Execute,
            "{{range $i := 1000000}}{{$_ := regexMatch (print \"\\\\pL{50}\" $i) \"a\"}}{{end}}",
        ),
        bomb("alternatives", End::Text, "{{regexMatch (join \"|\" (until 3000)) \"x\"}}"),
        bomb(
            "groups",
            End::Execute,
            format!("{{{{mustRegexMatch \"{}a{}\" \"a\"}}}}", "(".repeat(5_000), ")".repeat(5_000)),
        ),
        bomb("matches", End::Execute, "{{range 100}}{{$_ := regexFindAll \"a\" (repeat 1000000 \"a\") -1}}{{end}}"),
        bomb("replacements", End::Execute, "{{regexReplaceAll \"a\" (repeat 1000000 \"a\") (repeat 1000 \"$0\")}}"),
        bomb("expansions", End::Execute, "{{regexReplaceAll \"(.*)\" (repeat 1000000 \"a\") (repeat 1000 \"$1\")}}"),
        bomb(
            "many expansions",
            End::Execute,
            "{{mustRegexReplaceAll \"(.*)\" (repeat 1000000 \"a\") (repeat 100000 \"$1\")}}",
        ),
        bomb(
            "expansions to nothing",
            End::Execute,
            "{{regexReplaceAll \"(x?)\" (repeat 100000 \"a\") (repeat 1000000 \"$1\")}}",
        ),
        bomb(
            "groups that match",
            End::Execute,
            "{{regexReplaceAll (repeat 4000 \"(a)\") (repeat 1000000 \"a\") \"$1\"}}",
        ),
        bomb(
            "groups in one match",
            End::Execute,
            "{{regexReplaceAll (print \"(\" (repeat 2000 \"(a)|\") \"b)*\") (repeat 1000000 \"a\") \"$1\"}}",
        ),
        bomb(
            "group in long matches",
            End::Execute,
            "{{range 100}}{{$_ := regexReplaceAll \"((a)|b)*\" (repeat 1000000 \"a\") \"$1\"}}{{end}}",
        ),
        bomb("rescans", End::Execute, "{{regexFindAll \"a*b|a\" (repeat 1000000 \"a\") -1}}"),
        bomb("rescans that replace", End::Execute, "{{regexReplaceAll \"a*b|a\" (repeat 1000000 \"a\") \"x\"}}"),
        bomb("rescans that split", End::Execute, "{{regexSplit \"a*b|a\" (repeat 1000000 \"a\") -1}}"),
        with_data("rescans of states", End::Execute, &format!("{{{{regexFindAll {STATES} .x -1}}}}"), coins(20_000)),
        with_data(
            "more rescans of states",
            End::Execute,
            &format!("{{{{regexFindAll {STATES} .x -1}}}}"),
            coins(60_000),
        ),
        with_data(
            "rescan for one",
            End::Execute,
            &format!("{{{{range 1000}}}}{{{{$_ := regexFind {STATES} $.x}}}}{{{{end}}}}"),
            coins(60_000),
        ),
        with_data(
            "one search",
            End::Execute,
            "{{range 1000}}{{$_ := regexMatch \"[ab]*a[ab]{400}c\" $.x}}{{end}}",
            coins(262_144),
        ),
        with_data("one long search", End::Execute, "{{regexMatch \"[ab]*a[ab]{900}c\" .x}}", coins(1 << 20)),
        with_data(
            "bytes that are no text",
            End::Execute,
            "{{range 100}}{{regexFind \"b\" $.x}}{{end}}",
            vec![0xff; 1 << 20],
        ),
        with_data(
            "large patterns",
            End::Execute,
            "{{range $i := 1000}}{{$_ := regexFindAll (printf \"(a|[^%d])*?a[ab]{950}c|b\" $i) $.x 3}}{{end}}",
            coins(3_000),
        ),
        bomb("constraints", End::Execute, "{{semverCompare (repeat 20000 \">1 \" | trim) \"2.0.0\"}}"),
    ]
}

fn texts() -> Vec<Bomb> {
    let levels = |open: &str, count: usize| open.repeat(count).into_bytes();
    let aliases: String = std::iter::once("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned())
        .chain((1..12).map(|level| {
            let inner = vec![format!("*a{}", level - 1); 10].join(", ");
            format!("a{level}: &a{level} [{inner}]\n")
        }))
        .collect();
    vec![
        with_data("JSON in JSON", End::Execute, "{{fromJson .x}}", levels("[", 1_000_000)),
        with_data("objects in JSON", End::Execute, "{{mustFromJson .x}}", levels("{\"a\":", 200_000)),
        with_data(
            "long JSON",
            End::Execute,
            "{{range 100}}{{$_ := fromJson $.x}}{{end}}",
            format!("[{}1]", "1,".repeat(100_000)).into_bytes(),
        ),
        with_data("YAML in YAML", End::Text, "{{fromYaml .x}}", levels("[", 1_000_000)),
        with_data(
            "blocks in YAML",
            End::Execute,
            "{{fromYaml .x}}",
            (0..1_000).map(|at| " ".repeat(at) + "a:\n").collect::<String>().into_bytes(),
        ),
        with_data("aliases", End::Execute, "{{fromYaml .x}}", aliases.into_bytes()),
        with_data(
            "long YAML",
            End::Execute,
            "{{range 100}}{{$_ := fromYaml $.x}}{{end}}",
            "a: b\n".repeat(50_000).into_bytes(),
        ),
        with_data(
            "lines in quotes",
            End::Execute,
            "{{fromYaml .x | len}}",
            each(20_000, |at| format!("k{at}: 'b\nc'\n")).into_bytes(),
        ),
        with_data(
            "long lists in YAML",
            End::Text,
            "{{(fromYaml .x).a | len}}",
            format!("a: [{}1]", "1, ".repeat(40_000)).into_bytes(),
        ),
        bomb("list in YAML", End::Execute, listed("(repeat 1900000 \"a,\")")),
        bomb("lists in YAML", End::Execute, listed("(repeat 20 (print \"[\" (repeat 80000 \"a,\") \"],\"))")),
        bomb("empty lists in YAML", End::Execute, listed("(repeat 1200000 \"[],\")")),
        bomb("maps in YAML", End::Execute, listed("(repeat 500000 \"{a: b},\")")),
        bomb("anchors in YAML", End::Execute, listed("(repeat 1300000 \"&a,\")")),
        bomb("anchors and aliases in YAML", End::Execute, listed("(repeat 500000 \"&a x,*a,\")")),
        bomb(
            "lists of anchors in YAML",
            End::Execute,
            listed("(repeat 16 (print \"[\" (repeat 80000 \"&a,\") \"],\"))"),
        ),
        bomb("dates in YAML", End::Execute, listed("(repeat 350000 \"2020-01-02,\")")),
        bomb(
            "lists of dates in YAML",
            End::Execute,
            listed("(repeat 7 (print \"[\" (repeat 50000 \"2020-01-02,\") \"],\"))"),
        ),
        bomb("tabs in brackets in YAML", End::Execute, "{{fromYaml (repeat 20000 \"a: [\\n\\t'b'\\n]\\n\") | len}}"),
        bomb("tags that go on in YAML", End::Execute, "{{fromYaml (repeat 20000 \"a: !a,b c\\n\") | len}}"),
        bomb("comments behind heads in YAML", End::Execute, "{{fromYaml (repeat 20000 \"a: |#b\\n  c\\n\") | len}}"),
        bomb("apostrophes in YAML", End::Execute, "{{fromYaml (repeat 20000 \"a: \\\"b\\\\'\\\"\\n\") | len}}"),
        bomb(
            "bad lines behind a long one in YAML",
            End::Execute,
            "{{fromYaml (print \"a: \" (repeat 3000000 \"x\") \"\\n\" (repeat 20000 \"b: |#c\\n  d\\n\")) | len}}",
        ),
        bomb(
            "deep lines in quotes in YAML",
            End::Execute,
            "{{fromYaml (print (repeat 1000 \"k\") \": 'a\\n\" (repeat 1000000 \"x\\n\") \"'\") | len}}",
        ),
        bomb(
            "deep tabs in YAML",
            End::Execute,
            "{{fromYaml (print (repeat 100000 \" \") \"a: [\\n\" (repeat 1000000 \"\\tb,\\n\") \"]\") | len}}",
        ),
        with_data("quotes in YAML", End::Text, "{{fromYaml .x | len}}", levels("'", 500_000)),
        with_data(
            "layout",
            End::Text,
            "{{toDate .x .x | len | print | trunc 1}}{{date .x 1 | len}}",
            levels("2006", 100_000),
        )
        .ending(End::Execute),
        with_data(
            "address",
            End::Execute,
            "{{range 1000}}{{$_ := urlParse $.x}}{{end}}",
            levels("http://a/%41", 50_000),
        ),
        with_data("names", End::Execute, "{{range 1000}}{{$_ := snakecase $.x}}{{end}}", levels("aB", 100_000)),
    ]
}

fn keys() -> Vec<Bomb> {
    vec![
        bomb("keys", End::Execute, "{{range 1000}}{{$_ := genPrivateKey \"rsa\"}}{{end}}"),
        bomb("DSA keys", End::Execute, "{{range 1000000}}{{$_ := genPrivateKey \"dsa\"}}{{end}}"),
        bomb("ECDSA keys", End::Execute, "{{range 1000000}}{{$_ := genPrivateKey \"ecdsa\"}}{{end}}"),
        bomb("Ed25519 keys", End::Execute, "{{range 1000000}}{{$_ := genPrivateKey \"ed25519\"}}{{end}}"),
        bomb("alternatives", End::Execute, "{{ semverCompare (repeat 1300000 \"*||\") \"1.2.3\" }}"),
        bomb("shuffled", End::Execute, "{{ shuffle (repeat 4000000 \"a\") | len }}"),
        bomb("objects", End::Execute, "{{ fromJson (print \"[\" (repeat 400000 \"{\\\"a\\\":1},\") \"1]\") }}"),
        bomb("certificates", End::Execute, "{{range 1000}}{{$_ := genCA \"a\" 1}}{{end}}"),
        bomb("passwords", End::Execute, "{{range 1000}}{{$_ := derivePassword 1 \"long\" \"a\" \"b\" \"c\"}}{{end}}"),
        bomb("hashes", End::Execute, "{{range 1000}}{{$_ := bcrypt \"a\"}}{{end}}"),
    ]
}

impl Bomb {
    fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }
}
