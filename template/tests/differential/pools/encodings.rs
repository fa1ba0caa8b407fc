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
/// The passwords of the texts below, and others.
pub const PASSWORDS: &[&[u8]] = &[
    b"hunter2",
    b"hunter2",
    b"hunter2",
    b"",
    b"a password longer than thirty-two bytes",
    b"a password longer than thirty-two b",
    b"\xff",
];
/// Texts that Go encrypted, and some that nobody did: no block, a block without a text, half a block.
pub const SEALED: &[&[u8]] = &[
    b"TwcTKEtjXfdKQgkV8ig2bLm5SnbUqZe2C+e2BT0iXiA=",
    b"PNyMTbW1A19BKKDvHXboYRBx6yRt4y7vpJYQX6VW49KwSG2B7iPOkUwOw7nxFuCQ",
    b"GADg3ZnE872ZxAABWDlgX3AUReydPyS6DGLpTtmJkTw=",
    b"BPM0f2Bu+6i7XNU7trTr0FgFGnfOVSN3odAJWujIp+k=",
    b"UUqaCP/C8wrzSxqywyffuSkIiD0JJaslgY89OpqiDt4=",
    b"",
    b"aGVsbG8=",
    b"AAAAAAAAAAAAAAAAAAAAAA==",
    b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    b"!!",
];
