//! Requests that two readers may take apart differently (R120): where one ends, and so where the next begins.

/// What follows the ambiguity: a request of its own to whoever takes it for one.
pub const SMUGGLED: &str = "GET /smuggled/@@@@ HTTP/1.1\r\nHost: a\r\n\r\n";

/// What a server of ours may do with a case when it is sent to it directly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direct {
    /// 400 (or 431, and 408 where more is waited for), and the connection is closed.
    Refused,
    /// One answer at most, and the connection is closed: framing that the RFC lets a server believe once (RFC 9112 §6.1).
    Once,
    /// Nothing is wrong with it, and what is in it is no request: answered, and the next one on the connection too.
    Fine,
    /// The same, and what looks like a request behind it is one to everybody.
    Two,
}

pub struct Case {
    pub name: String,
    pub direct: Direct,
    /// What is sent behind `POST {path} HTTP/1.1\r\nHost: a\r\n` and the login's headers.
    pub rest: String,
    /// What stands before the request line's version, and the line's end.
    pub version: &'static str,
}

fn case(name: &str, direct: Direct, rest: impl Into<String>) -> Case {
    Case { name: name.to_owned(), direct, rest: rest.into(), version: "HTTP/1.1\r\n" }
}

/// Headers, their end, and a body in chunks with a request behind it.
fn chunked_behind(name: &str, direct: Direct, headers: &str) -> Case {
    case(name, direct, format!("{headers}\r\n0\r\n\r\n{SMUGGLED}"))
}

/// A body in chunks as its bytes are, with a request behind it.
fn chunks(name: &str, direct: Direct, body: impl AsRef<str>) -> Case {
    case(name, direct, ["Transfer-Encoding: chunked\r\n\r\n", body.as_ref(), SMUGGLED].concat())
}

pub fn corpus() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(lengths());
    cases.extend(both());
    cases.extend(encodings());
    cases.extend(chunked_bodies());
    cases.extend(lines());
    cases
}

/// `Content-Length`.
fn lengths() -> Vec<Case> {
    let mut cases = Vec::new();
    let length = SMUGGLED.len();
    for value in [
        "+5",
        "-0",
        "-1",
        "0x5",
        "5 5",
        "5,",
        ",5",
        "5;",
        "5.0",
        "1e1",
        "",
        "five",
        "\u{665}",
        "5\u{b}",
        "18446744073709551616",
        "99999999999999999999999999",
        "5, 6",
    ] {
        let headers = format!("Content-Length: {value}\r\n\r\nhello{SMUGGLED}");
        cases.push(case(&format!("a length of {value:?}"), Direct::Refused, headers));
    }
    for [one, other] in [["0", "5"], ["5", "0"], ["5", "+5"], ["0", "0x0"]] {
        let headers = format!("Content-Length: {one}\r\nContent-Length: {other}\r\n\r\nhello{SMUGGLED}");
        cases.push(case(&format!("lengths of {one} and {other}"), Direct::Refused, headers));
    }
    // Said twice and the same, or with zeros before it: one body, whoever reads it (RFC 9110 §8.6).
    for headers in ["Content-Length: 2\r\nContent-Length: 2\r\n", "Content-Length: 002\r\n"] {
        cases.push(case(headers, Direct::Fine, format!("{headers}\r\n{{}}")));
    }
    // The whole of it is a body.
    cases.push(case(
        "a request in a body",
        Direct::Fine,
        format!("Content-Length: {length}\r\n\r\n{SMUGGLED}"),
    ));
    cases.push(case(
        "a length spelled with a space before the colon",
        Direct::Refused,
        format!("Content-Length : {length}\r\n\r\n{SMUGGLED}"),
    ));
    cases.push(case(
        "a length with a NUL in its name",
        Direct::Refused,
        format!("Content-Length\0: {length}\r\n\r\n{SMUGGLED}"),
    ));
    cases.push(case(
        "a length on a folded line",
        Direct::Refused,
        format!("X-A: b\r\n Content-Length: {length}\r\n\r\n{SMUGGLED}"),
    ));
    cases
}

/// A length beside chunks: 400, or the chunks are believed and the connection is closed (RFC 9112 §6.1).
fn both() -> Vec<Case> {
    let behind = format!("0\r\n\r\n{SMUGGLED}");
    let chunk = format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len());
    let mut cases = Vec::new();
    for (name, encoding) in [
        ("chunked", "Transfer-Encoding: chunked"),
        ("CHUNKED", "TRANSFER-ENCODING: CHUNKED"),
        ("chunked behind a tab", "Transfer-Encoding:\tchunked"),
    ] {
        let length = behind.len();
        for headers in [
            format!("Content-Length: {length}\r\n{encoding}\r\n"),
            format!("{encoding}\r\nContent-Length: {length}\r\n"),
            format!("Content-Length: 4\r\n{encoding}\r\n"),
        ] {
            cases.push(case(&format!("{name}: {headers:?}"), Direct::Once, format!("{headers}\r\n{behind}")));
        }
        let headers = format!("Content-Length: 4\r\n{encoding}\r\n");
        cases.push(case(&format!("{name}, in a chunk"), Direct::Once, format!("{headers}\r\n{chunk}")));
    }
    let mut old = chunked_behind("chunks in HTTP/1.0", Direct::Once, "Transfer-Encoding: chunked\r\n");
    old.version = "HTTP/1.0\r\n";
    cases.push(old);
    let headers = "Connection: keep-alive\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n";
    let mut old = chunked_behind("chunks and a length in HTTP/1.0", Direct::Once, headers);
    old.version = "HTTP/1.0\r\n";
    cases.push(old);
    cases
}

/// `Transfer-Encoding`.
fn encodings() -> Vec<Case> {
    let mut cases = Vec::new();
    for value in [
        "xchunked",
        "chunkedx",
        "identity",
        "chunked, identity",
        "gzip",
        "chunked, gzip",
        "\"chunked\"",
        "chunked;q=1",
        "ch unked",
        "chunked\u{b}",
        "\u{b}chunked",
        "chunked\0",
        "chun\u{212a}ed",
        "",
        "x\r\n chunked",
    ] {
        let headers = format!("Transfer-Encoding: {value}\r\n");
        cases.push(chunked_behind(&format!("an encoding of {value:?}"), Direct::Refused, &headers));
        let headers = format!("Content-Length: 5\r\nTransfer-Encoding: {value}\r\n");
        cases.push(chunked_behind(&format!("a length and {value:?}"), Direct::Refused, &headers));
    }
    for headers in [
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        "Transfer-Encoding\u{b}: chunked\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n",
        "X: y\rTransfer-Encoding: chunked\r\n",
        ": x\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    ] {
        cases.push(chunked_behind(&format!("{headers:?}"), Direct::Refused, headers));
    }
    // Only the last one frames.
    cases.push(chunked_behind("gzip, then chunked", Direct::Two, "Transfer-Encoding: gzip, chunked\r\n"));
    // Names that are no encoding to us, and to a lax reader before us might be: the request has no body then.
    for headers in ["Transfer_Encoding: chunked\r\n", "Transfer-Encoding-: chunked\r\n"] {
        let rest = format!("{headers}Content-Length: 5\r\n\r\n0\r\n\r\n");
        cases.push(case(&format!("{headers:?}"), Direct::Fine, rest));
    }
    cases
}

/// The chunks themselves.
fn chunked_bodies() -> Vec<Case> {
    let mut cases = vec![
        chunks("an orderly one", Direct::Two, "2\r\n{}\r\n0\r\n\r\n"),
        chunks("sizes with zeros, and capitals", Direct::Two, "0002\r\n{}\r\n00A\r\n          \r\n0\r\n\r\n"),
        chunks("extensions", Direct::Two, "2;a=b;c=\"d\"\r\n{}\r\n0;e\r\n\r\n"),
        chunks("a flood of extensions", Direct::Refused, format!("2;{}", "a".repeat(64 * 1024))),
        chunks("a flood of small extensions", Direct::Refused, "1;aaaaaaaaaaaaaaaa\r\n \r\n".repeat(8_000)),
        chunks("a flood of trailers", Direct::Refused, format!("0\r\n{}", "X: aaaaaaaa\r\n".repeat(8_000))),
        chunks(
            "trailers that frame",
            Direct::Two,
            "2\r\n{}\r\n0\r\nContent-Length: 500\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
    ];
    for size in [
        "fffffffffffffffff",
        "ffffffffffffffff",
        "10000000000000002",
        "0x2",
        "+2",
        "-2",
        "2 2",
        "2,",
        "g",
        "",
        " 2",
        "\u{b}2",
        "2\u{b}",
    ] {
        cases.push(chunks(
            &format!("a size of {size:?}"),
            Direct::Refused,
            format!("{size}\r\n{{}}\r\n0\r\n\r\n"),
        ));
    }
    for (name, body) in [
        ("lines that end with LF", "2\n{}\n0\n\n"),
        ("a size that ends with CR", "2\r{}\r\n0\r\n\r\n"),
        ("an extension that ends with LF", "2;a\n{}\r\n0\r\n\r\n"),
        ("data that is too long", "1\r\n{}\r\n0\r\n\r\n"),
        ("data that ends with LF", "2\r\n{}\n0\r\n\r\n"),
        ("data with something behind", "2\r\n{}XX0\r\n\r\n"),
        ("an end of LF", "2\r\n{}\r\n0\r\n\n"),
    ] {
        cases.push(chunks(name, Direct::Refused, body));
    }
    cases
}

/// Lines, and what stands before them.
fn lines() -> Vec<Case> {
    let mut cases = Vec::new();
    let whole = format!("Content-Length: 2\r\n\r\n{{}}{SMUGGLED}");
    cases.push(case("a request behind a whole one", Direct::Two, whole));
    // A line feed alone ends a line to us as to both proxies (RFC 9112 §2.2 lets it): all take apart the same.
    for (name, direct, rest) in [
        ("lines that end with LF", Direct::Two, "Content-Length: 2\n\n{}"),
        ("a length behind LF in a value", Direct::Two, "X: a\nContent-Length: 2\r\n\r\n{}"),
        (
            "an encoding behind LF beside a length",
            Direct::Once,
            "Content-Length: 5\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
    ] {
        cases.push(case(name, direct, format!("{rest}{SMUGGLED}")));
    }
    for (name, rest) in [
        ("a header without a colon", "X\r\nContent-Length: 2\r\n\r\n{}"),
        ("a header without a name", ": x\r\nContent-Length: 2\r\n\r\n{}"),
        ("a NUL in a value", "X: a\0b\r\nContent-Length: 2\r\n\r\n{}"),
        ("a CR in a value", "X: a\rb\r\nContent-Length: 2\r\n\r\n{}"),
        ("a CR before the end of the head", "X: a\r\r\n\r\nContent-Length: 2\r\n\r\n{}"),
        ("a folded line at first", " X: a\r\nContent-Length: 2\r\n\r\n{}"),
    ] {
        cases.push(case(name, Direct::Refused, format!("{rest}{SMUGGLED}")));
    }
    for version in ["HTTP/1.2\r\n", "HTTP/9.9\r\n", "http/1.1\r\n", "HTTP/1.1 HTTP/1.1\r\n", "HTTP/1.10\r\n"]
    {
        let mut odd = case(
            &format!("{version:?}"),
            Direct::Refused,
            format!("Content-Length: 2\r\n\r\n{{}}{SMUGGLED}"),
        );
        odd.version = version;
        cases.push(odd);
    }
    cases
}
