//! The answers on one connection, taken apart.

/// One answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The request's id, if it is an answer of ours.
    pub id: Option<String>,
}

/// Takes apart what was read on a connection; `None` if it is not answers one after another. The last one may be cut.
pub fn read_answers(mut bytes: &[u8]) -> Option<Vec<Answer>> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        bytes = &bytes[end + 4..];
        let mut lines = head.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
        let headers: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
        let header = |name: &str| {
            let found = headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim().to_owned())
        };
        let length = match header("content-length") {
            Some(length) => length.parse().ok()?,
            // Until the end of the connection.
            None if status >= 200 => bytes.len(),
            None => 0,
        };
        bytes = bytes.get(length..).unwrap_or_default();
        if status >= 200 {
            answers.push(Answer { status, id: header("x-request-id") });
        }
    }
    Some(answers)
}
