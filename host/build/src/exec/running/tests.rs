use super::*;

/// What comes of chunks written one after the other.
fn cut(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
    let (pipe, _) = UnixStream::pair().unwrap();
    let mut lines = Lines::new(pipe.into(), Stream::Out).unwrap();
    let mut got = Vec::new();
    let mut line = |_: Stream, bytes: &[u8]| got.push(bytes.to_vec());
    for chunk in chunks {
        lines.cut(chunk, &mut line);
    }
    lines.finish(&mut line).unwrap();
    got
}

#[test]
fn lines_are_cut_wherever_chunks_end() {
    assert_eq!(cut(&[b"a\nb", b"c\n", b"\n", b"d"]), [&b"a"[..], b"bc", b"", b"d"]);
    assert_eq!(cut(&[b"a\n"]), [b"a"]);
    assert_eq!(cut(&[]), Vec::<Vec<u8>>::new());
}

#[test]
fn a_line_without_end_comes_in_pieces() {
    let chunk = [b'x'; 16 << 10];
    let got = cut(&[&chunk[..]; 10]);
    assert_eq!(got.iter().map(Vec::len).collect::<Vec<_>>(), [64 << 10, 64 << 10, 32 << 10]);
}
