//! Bytes written as text.

pub const BASE64S: &[&[u8]] = &[
    b"aGVsbG8=",
    b"aGVsbG8",
    b"!!",
    b"",
    b"/+8=",
    b"_-8=",
    b"YQ==",
    b"YQ=",
    b"Y Q==",
    b"YQ==\n",
    b"aGVs\nbG8=",
    b"YR==",
    b"YQ==YQ==",
    b"=",
    b"YWJj",
    b"YWJ",
    b"\xff",
];
pub const BASE32S: &[&[u8]] = &[
    b"NBSWY3DP",
    b"NBSWY3DPEE======",
    b"nbswy3dp",
    b"",
    b"1",
    b"ME======",
    b"ME",
    b"MFRGG===",
    b"MF=RGG",
    b"NBSW\nY3DP",
    b"========",
];
pub const HEXES: &[&[u8]] = &[b"68656c6c6f", b"abc", b"zz", b"", b"FF00", b"fF", b"0x00", b"a\n"];
