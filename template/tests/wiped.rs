//! Memory after a render: no copy of a value is left in it.
//!
//! The test looks at the memory of its own process, which Linux shows as a file. It is alone in its program, so that
//! nothing else writes there.
#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "a process that cannot read its own memory proves nothing")]

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};

use template::{Data, Limits, Options, Template};
use zeroize::Zeroize as _;

/// The secret with each byte changed, so that it stands nowhere in the program as it is.
const MASKED: &[u8] = b"\x0d\x33\x2a\x36\x3b\x0d\x28\x2a\x3d\x29\x0d\x39\x31\x2b\x3f\x0d";
const MASK: u8 = 0x5a;

fn secret() -> Vec<u8> {
    MASKED.iter().map(|byte| byte ^ MASK).collect()
}

/// How often the secret stands in the writable memory of this process.
fn copies() -> usize {
    let mut memory = File::open("/proc/self/mem").expect("own memory");
    let maps = BufReader::new(File::open("/proc/self/maps").expect("own maps"));
    let mut copies = 0;
    for line in maps.lines().map(|line| line.expect("a line of maps")) {
        let mut words = line.split_whitespace();
        let (Some(range), Some(rights)) = (words.next(), words.next()) else { continue };
        let Some((start, end)) = range.split_once('-') else { continue };
        let hex = |text: &str| u64::from_str_radix(text, 16).expect("an address");
        if !rights.starts_with("rw") || memory.seek(SeekFrom::Start(hex(start))).is_err() {
            continue;
        }
        copies += copies_in(&mut memory.by_ref().take(hex(end) - hex(start)));
    }
    copies
}

/// Counts without ever making the secret: what was read is compared through the mask.
fn copies_in(memory: &mut impl std::io::Read) -> usize {
    let mut chunk = vec![0; 1 << 16];
    let (mut kept, mut count) = (0, 0);
    // The rest of a mapping that cannot be read holds nothing.
    while let Ok(more @ 1..) = memory.read(&mut chunk[kept..]) {
        let read = &chunk[..kept + more];
        let is_copy = |at: usize| {
            read.get(at..at + MASKED.len())
                .is_some_and(|part| part.iter().zip(MASKED).all(|(one, other)| one ^ MASK == *other))
        };
        count += memchr::memchr_iter(MASKED[0] ^ MASK, read).filter(|&at| is_copy(at)).count();
        // A copy may go on in the next chunk.
        let end = kept + more;
        kept = end.min(MASKED.len() - 1);
        chunk.copy_within(end - kept..end, 0);
    }
    chunk.zeroize();
    count
}

fn render(text: &str, data: &Data) -> usize {
    let template = Template::parse("k", text.as_bytes(), &Limits::default()).expect("the template is well-formed");
    match template.render(data, &Options::default()) {
        Ok(mut output) => {
            let length = output.len();
            output.zeroize();
            length
        }
        Err(error) => error.redacted().len(),
    }
}

#[test]
fn no_copy_of_a_value_is_left_after_a_render() {
    let mut seen = secret();
    assert!(copies() > 0, "the search finds what is there");
    seen.zeroize();
    drop(seen);
    assert_eq!(copies(), 0, "the search itself leaves nothing");
    for text in [
        "postgres://{{ .user }}:{{ .secret }}@db:5432/app",
        "{{ repeat 100 .secret }}{{ repeat 300 .secret }}",
        "{{ print .secret 1 }}{{ printf \"%s-%q-%20x\" .secret .secret .secret }}",
        "{{ .secret | quote }}{{ .secret | squote }}{{ cat .secret 1 }}",
        "{{ .secret | trim | trimPrefix \"a\" | default \"b\" | trunc 9 }}",
        "{{ .secret | upper | lower | title }}",
        "{{ .secret | indent 4 }}{{ .secret | nindent 4 }}{{ .secret | nospace }}",
        "{{ html .secret }}{{ js .secret }}{{ urlquery .secret }}",
        "{{ .secret | b64enc | b64dec }}{{ .secret | b32enc | b32dec }}",
        "{{ dict \"password\" .secret | toJson }}{{ dict \"password\" .secret | toPrettyJson }}",
        "{{ (dict \"password\" .secret | toJson | fromJson).password }}",
        "{{ dict \"password\" .secret | toYaml }}",
        "{{ list .secret }}{{ dict \"password\" .secret }}{{ deepCopy (dict \"password\" .secret) }}",
        "{{ $x := .secret }}{{ range until 10 }}{{ $x = print $x $x }}{{ end }}{{ len $x }}",
        "{{ fail .secret }}",
        "{{ range .secret }}{{ end }}",
        "{{ .secret }}{{ .absent }}",
    ] {
        // A few bytes lie elsewhere in memory than many do.
        for times in [1, 500] {
            let mut once = secret();
            let data = [("secret", once.repeat(times)), ("user", b"app".to_vec())].into_iter().collect();
            once.zeroize();
            assert!(render(text, &data) > 0, "{text}");
            drop(data);
            assert_eq!(copies(), 0, "{text} with {times} secrets");
        }
    }
}
