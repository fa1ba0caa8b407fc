//! Which functions the generator calls, and with what.

use crate::pools::Flavour;

/// What an expression is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Want {
    Text(Flavour),
    /// A small number: a count, a width, an index. Large ones would only make Go slow.
    Small,
    Int,
    Float,
    Bool,
    /// Anything that functions of numbers take: numbers of any type, texts of numbers.
    Numeric,
    List,
    Strings,
    Ints,
    Map,
    /// `map[string]string`, as `split` makes it and the dot is.
    Texts,
    Time,
    Version,
    Any,
}

/// A function: its arguments, the one that may be repeated at the end, and its result.
pub struct Function {
    pub name: &'static str,
    pub params: Vec<Want>,
    pub rest: Option<Want>,
    pub result: Want,
}

/// `name arguments = result`. Each argument is one letter, a star repeats the last one. [`NOT_GENERATED`] has the
/// functions that are absent.
const TABLE: &str = "
upper s=s|lower s=s|title s=s|untitle s=s|swapcase s=s|initials s=s|camelcase s=s|snakecase s=s|kebabcase s=s
trim s=s|trimAll ,s=s|trimall ,s=s|trimPrefix ,s=s|trimSuffix ,s=s|contains ,s=b|hasPrefix ,s=b|hasSuffix ,s=b
replace ,ss=s|repeat cs=s|substr ccs=s|trunc cs=s|abbrev cs=s|abbrevboth ccs=s|nospace s=s|quote a*=s|squote a*=s
cat a*=s|indent cs=s|nindent cs=s|plural ssc=s|split ,s=T|splitn ,cs=T|splitList ,s=S|join ,a=s|join ,l=s|join ,S=s
toString a=s|toStrings l=S|toStrings a=S|sortAlpha l=S|sortAlpha a=S|wrap cs=s|wrapWith c,s=s
default aa=a|empty a=b|coalesce a*=a|all a*=b|any a*=b|ternary aab=a|fail s=s|hello =s
typeOf a=s|typeIs ta=b|typeIsLike ta=b|kindOf a=s|kindIs ta=b|deepEqual aa=b|deepCopy a=a|mustDeepCopy a=a
list a*=l|tuple a*=l|first l=a|mustFirst a=a|last l=a|mustLast a=a|rest l=l|mustRest a=l|initial l=l|mustInitial a=l
append la=l|mustAppend aa=l|push la=l|mustPush Sa=l|prepend la=l|mustPrepend aa=l|concat l*=l|concat a*=l
reverse l=l|mustReverse a=l|uniq l=l|mustUniq a=l|without la*=l|mustWithout aa*=l|has al=b|mustHas aa=b
compact l=l|mustCompact a=l|slice lc*=a|mustSlice ac*=a|chunk cl=a|mustChunk ca=a
dict =m|dict ka=m|dict kaka=m|dict kakaka=m|dict a*=m|get mk=a|set mka=m|unset mk=m|hasKey mk=b|keys m*=S|values m=l
pluck km*=l|pick mk*=m|omit mk*=m|dig kam=a|dig kkam=a|dig a*=a|merge mm*=a|mustMerge mm*=a|mergeOverwrite mm*=a
mustMergeOverwrite mm*=a
b64enc s=6|b64dec 6=s|b32enc s=3|b32dec 3=s|hexdec h=s|sha256sum s=h|sha512sum s=h|sha1sum s=h|adler32sum s=n|decryptAES wE=s
toJson a=j|mustToJson a=j|toPrettyJson a=j|mustToPrettyJson a=j|toRawJson a=j|mustToRawJson a=j|fromJson j=a
mustFromJson j=a|fromYaml y=m|toYaml a=y
atoi n=i|int a=i|int N=i|int64 a=i|int64 N=i|float64 a=f|float64 N=f|toDecimal N=i|add N*=i|add1 N=i|sub NN=i|mul NN*=i
div NN=i|mod NN=i|max NN*=i|biggest NN*=i|min NN*=i|maxf NN*=f|minf NN*=f|addf N*=f|add1f N=f|subf NN*=f|mulf NN*=f
divf NN*=f|floor N=f|ceil N=f|round Nc=f|round Ncf=f|seq c=s|seq cc=s|seq ccc=s|until c=I|untilStep ccc=I
base p=p|osBase p=p|dir p=p|osDir p=p|clean p=p|osClean p=p|ext p=s|osExt p=s|isAbs p=b|osIsAbs p=b
regexMatch rs=b|mustRegexMatch rs=b|regexFind rs=s|mustRegexFind rs=s|regexFindAll rsc=S|mustRegexFindAll rsc=S
regexReplaceAll rsR=s|mustRegexReplaceAll rsR=s|regexReplaceAllLiteral rsR=s|mustRegexReplaceAllLiteral rsR=s
regexSplit rsc=S|mustRegexSplit rsc=S|regexQuoteMeta s=r
semver v=V|semverCompare Cv=b|urlParse u=m|urlJoin m=u
date LD=s|date Li=s|dateInZone LDz=s|dateInZone Liz=s|date_in_zone LDz=s|htmlDate i=s|htmlDate D=s|htmlDateInZone Dz=s
dateModify UD=D|date_modify UD=D|mustDateModify UD=D|must_date_modify UD=D|toDate Ld=D|mustToDate Ld=D|unixEpoch D=n
duration a=s|duration N=s|duration U=s|durationRound a=s|durationRound U=s
and aa*=a|or aa*=a|not a=b|len a=i|len l=i|len s=i|index lc=a|index mk=a|index Tk=s|index sc=i|index ac*=a|index mkk=a
print a*=s|println a*=s|html a*=s|js a*=s|urlquery a*=s|html s=s|js s=s|urlquery s=s
eq aa*=b|eq ss*=b|eq ii=b|ne aa=b|ne ss=b|lt ii=b|lt ss=b|lt aa=b|le ii=b|le ff=b|gt ii=b|gt ss=b|ge ii=b|ge aa=b
eq ff=b|eq NN=b|lt NN=b|eq bb=b|call a*=a|printf Fa=s|printf Faa=s|printf Fi=s|printf Ff=s|printf Fs=s|printf Faaa=s|printf Fl=s|printf Fm=s
";

/// Functions that no template here calls, by the reason.
pub const NOT_GENERATED: &[(&str, &[&str])] = &[
    ("what they give depends on the clock", &["now", "ago"]),
    (
        "what they give is random",
        &[
            "randAlpha",
            "randAlphaNum",
            "randAscii",
            "randNumeric",
            "randBytes",
            "randInt",
            "shuffle",
            "uuidv4",
            "bcrypt",
            "htpasswd",
            "encryptAES",
            "genPrivateKey",
            "genCA",
            "genCAWithKey",
            "genSelfSignedCert",
            "genSelfSignedCertWithKey",
            "genSignedCert",
            "genSignedCertWithKey",
        ],
    ),
    ("each call takes a quarter of a second; the conformance cases have it", &["derivePassword"]),
    ("it needs certificates; the conformance cases have it", &["buildCustomCert"]),
    (
        "their Go is the operator's own, around modules for PKCS#12 and JSON web keys that the Go program does not \
         carry; the conformance cases have them, and the keys and certificates of their tests come from OpenSSL and Go",
        &[
            "certSANs",
            "filterCertChain",
            "filterPEM",
            "fullPemToPkcs12",
            "fullPemToPkcs12Pass",
            "jwkPrivateKeyPem",
            "jwkPublicKeyPem",
            "pemToPkcs12",
            "pemToPkcs12Pass",
            "pemTruststoreToPKCS12",
            "pemTruststoreToPKCS12Pass",
            "pkcs12cert",
            "pkcs12certPass",
            "pkcs12key",
            "pkcs12keyPass",
            "rsaDecrypt",
        ],
    ),
];

/// All functions of the table.
pub fn table() -> Vec<Function> {
    TABLE.split(['|', '\n']).filter(|row| !row.is_empty()).map(function).collect()
}

fn function(row: &'static str) -> Function {
    let (name, signature) = row.split_once(' ').unwrap_or((row, "=a"));
    let (params, result) = signature.split_once('=').unwrap_or((signature, "a"));
    let repeats = params.ends_with('*');
    let mut params: Vec<Want> = params.trim_end_matches('*').chars().map(want).collect();
    let rest = if repeats { params.pop() } else { None };
    Function { name, params, rest, result: result.chars().next().map_or(Want::Any, want) }
}

fn want(letter: char) -> Want {
    match letter {
        's' => Want::Text(Flavour::Words),
        'k' => Want::Text(Flavour::Key),
        'r' => Want::Text(Flavour::Regex),
        'R' => Want::Text(Flavour::Replacement),
        'j' => Want::Text(Flavour::Json),
        'y' => Want::Text(Flavour::Yaml),
        'd' => Want::Text(Flavour::Date),
        'L' => Want::Text(Flavour::Layout),
        'z' => Want::Text(Flavour::Zone),
        'v' => Want::Text(Flavour::Version),
        'C' => Want::Text(Flavour::Constraint),
        'u' => Want::Text(Flavour::Url),
        'U' => Want::Text(Flavour::Duration),
        'n' => Want::Text(Flavour::Number),
        'p' => Want::Text(Flavour::Path),
        '6' => Want::Text(Flavour::Base64),
        '3' => Want::Text(Flavour::Base32),
        'h' => Want::Text(Flavour::Hex),
        'F' => Want::Text(Flavour::Format),
        't' => Want::Text(Flavour::TypeName),
        'w' => Want::Text(Flavour::Password),
        'E' => Want::Text(Flavour::Sealed),
        ',' => Want::Text(Flavour::Separator),
        'c' => Want::Small,
        'i' => Want::Int,
        'f' => Want::Float,
        'b' => Want::Bool,
        'N' => Want::Numeric,
        'l' => Want::List,
        'S' => Want::Strings,
        'I' => Want::Ints,
        'm' => Want::Map,
        'T' => Want::Texts,
        'D' => Want::Time,
        'V' => Want::Version,
        _ => Want::Any,
    }
}
