//! What Docker documents, and what patternmatcher answers, as one table: rules, path, dropped.

use std::path::Path;

use super::super::{Ignore, Verdict};

#[rustfmt::skip]
const ONE_RULE: &[(&str, &str, bool)] = &[
    // The examples of Docker's documentation.
    ("*/temp*", "somedir/temporary.txt", true), ("*/temp*", "somedir/temp", true),
    ("*/temp*", "temp", false), ("*/temp*", "a/b/temp", false),
    ("*/*/temp*", "somedir/subdir/temporary.txt", true), ("*/*/temp*", "a/temp", false),
    ("temp?", "tempa", true), ("temp?", "tempb", true), ("temp?", "temp", false),
    ("**/*.go", "main.go", true), ("**/*.go", "a/b/c/main.go", true),
    ("/foo/bar", "foo/bar", true), ("foo/bar", "foo/bar", true), ("foo/bar", "x/foo/bar", false),
    // What `az acr build` gets wrong and uploads.
    ("**/.env", ".env", true), ("**/.env", "a/b/.env", true), ("**/.env", "a.env", false),
    ("**/node_modules", "node_modules", true), ("**/node_modules", "node_modules/x/y.js", true),
    ("**/*.pem", "id.pem", true), ("**/*.pem", "a/id.pem", true), ("/build", "build", true),
    ("/build", "build/out.o", true), ("/build", "a/build", false), ("docs/", "docs", true),
    ("docs/", "docs/a/b", true), ("secret+key", "secret+key", true), ("./foo", "foo", true),
    ("a/**/b", "a/b", true), ("a/**/b", "a/x/b", true), ("a/**/b", "a/x/y/b", true),
    ("foo\\?x", "foo?x", true), ("foo\\?x", "fooyx", false), ("*.log", "a.log", true),
    ("*.log", "x/a.log", false), ("a[bc]", "ab", true), ("a[bc]", "ad", false),
    // `**` alone and at the end.
    ("**", "file", true), ("**", "dir/file", true), ("**/", "file", true), ("**/", "dir/file", true),
    ("**/**", "dir/file", true), ("**/**", "file", true), ("dir/**", "dir/file", true),
    ("dir/**", "dir/dir2/file", true), ("dir/**", "dir", false), ("dir/**", "dirx", false),
    ("abc/**", "abc", false), ("abc/**", "abc/def/ghi", true), ("dir**", "dir", true),
    ("dir**", "dirx/y", true), ("*dir/**", "adir/x", true), ("*dir/**", "adir", false),
    // `**` at the beginning.
    ("**/dir", "dir", true), ("**/dir", "dir/file", true), ("**/dir", "a/b/dir/file", true),
    ("**/dir", "adir", false), ("**/dir2/*", "dir/dir2/file", true), ("**/dir2/*", "dir2/file", true),
    ("**/dir2/**", "dir/dir2/dir3/file", true), ("**/dir2/**", "dir2", false),
    ("**file", "file", true), ("**file", "dir/file", true), ("**file", "dir/afile", true),
    ("**file", "filex", false), ("**/file", "dir/dir/file", true), ("**/file*", "dir/dir/file", true),
    ("**/file*", "dir/dir/file.txt", true), ("**/file*txt", "dir/dir/file.txt", true),
    ("**/file*.txt", "dir/dir/file.txt", true), ("**/file*.txt*", "dir/dir/file.txt", true),
    ("**file*", "afile", false), ("**file*", "dir/files", true), ("**/**/*.txt", "dir/dir/file.txt", true),
    ("**/**/*.txt2", "dir/dir/file.txt", false), ("**/*.txt", "file.txt", true),
    ("**/**/*.txt", "file.txt", true), ("**/foo/bar", "foo/bar", true),
    ("**/foo/bar", "dir/dir2/foo/bar", true), ("**/foo/bar", "dir/foo/x/bar", false),
    ("**/.foo", ".foo", true), ("**/.foo", "bar.foo", false), ("**/é", "a/é", true),
    // `**` in the middle, also next to other characters.
    ("a**/*.txt", "a/file.txt", true), ("a**/*.txt", "a/dir/dir/file.txt", true),
    ("a**/*.txt", "ab/file.txt", true), ("a**b", "ab", true), ("a**b", "a/b", true),
    ("a**b", "axx/b", true), ("a**b", "axb", false), ("a/**/b/**/c", "a/b/c", true),
    ("a/**/b/**/c", "a/x/b/y/z/c", true), ("a/**/b/**/c", "a/c", false),
    ("***", "a/b", true), ("a/***/c", "a/b/c", true), ("a/***/c", "a/c", false),
    // One component.
    ("*", "file", true), ("*", "dir/file", true), ("a/*.txt", "a/dir/file.txt", false),
    ("a/*.txt", "a/file.txt", true), ("a/*.txt**", "a/file.txt", true), ("*c", "abc", true),
    ("a*", "ab/c", true), ("a*/b", "abc/b", true), ("a*/b", "a/c/b", false),
    ("a*b*c*d*e*/f", "axbxcxdxexxx/f", true), ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", false),
    ("a[b-d]e", "ae", false), ("a[b-d]e", "ace", true), ("a[b-d]e", "aae", false),
    ("a[^b-d]e", "aze", true), ("a[^b-d]e", "ace", false), (".*", ".foo", true), (".*", "foo", false),
    ("abc.def", "abcdef", false), ("abc.def", "abc.def", true), ("abc.def", "abcZdef", false),
    ("abc?def", "abcZdef", true), ("abc?def", "abcdef", false), ("a?b", "a/b", false),
    ("a?b", "a☺b", true), ("a[^a]b", "a☺b", true), ("a???b", "a☺b", false), ("[a-ζ]*", "α", true),
    ("*[a-ζ]", "A", false), ("a\\\\", "a\\", true), ("a\\*b", "a*b", true), ("a\\*b", "axb", false),
    ("[\\]a]", "]", true), ("[\\-x]", "-", true), ("[x\\-]", "z", false), ("[.]a", ".a", true),
    // Characters of regular expressions mean themselves.
    ("a(b)c/def", "a(b)c/def", true), ("a(b)c/def", "a(b)c/xyz", false),
    ("a.|)$(}+{bc", "a.|)$(}+{bc", true), ("a.|)$(}+{bc*", "a.|)$(}+{bcd", true),
    ("^a", "^a", true), ("^a", "a", false), ("a$", "a", false), ("x{2}", "xx", false),
    ("dist/p-2.4.0rc3.dev36+g08acad9.whl", "dist/p-2.4.0rc3.dev36+g08acad9.whl", true),
    ("dist/*.whl", "dist/p-2.4.0rc3.dev36+g08acad9.whl", true), ("\\d", "d", true), ("\\d", "7", false),
    // What is cleaned away.
    ("a/../b", "b", true), ("a/./b", "a/b", true), ("a//b", "a/b", true), ("/../a", "a", true),
    ("../a", "a", false), ("..", "a", false), (".", "a", false), ("/", "a", false), ("/*", "a", true),
    ("//a//", "a/b", true), ("a/b/..", "a/x", true), (" a ", "a", true), ("a b", "a b", true),
    ("\\ a", " a", true), ("# a", "# a", false), ("\\# a", "# a", true),
    // Case and near misses.
    ("README.md", "readme.md", false), ("foo", "foobar", false), ("foo", "barfoo", false),
    ("foo", "foo/bar/baz", true), ("foo/*", "foo", false), ("foo/*", "foo/bar/baz", true),
];

#[rustfmt::skip]
const RULES: &[(&[&str], &str, bool)] = &[
    (&[], "any/path/there", false),
    (&["*.md", "!README.md"], "README.md", false), (&["*.md", "!README.md"], "a.md", true),
    (&["*.md", "!README*.md", "README-secret.md"], "README-secret.md", true),
    (&["*.md", "!README*.md", "README-secret.md"], "README-a.md", false),
    (&["*.md", "README-secret.md", "!README*.md"], "README-secret.md", false),
    (&["!fileutils.go", "*.go"], "fileutils.go", true), (&["*.go", "!fileutils.go"], "fileutils.go", false),
    (&["docs", "!docs/README.md"], "docs/README.md", false), (&["docs", "!docs/README.md"], "docs/a", true),
    (&["docs/", "!docs/README.md"], "docs/README.md", false),
    (&["docs/*", "!docs/README.md"], "docs/README.md", false),
    (&["docs", "!/docs/README.md"], "docs/README.md", false),
    (&["docs", "! docs/README.md"], "docs/README.md", false),
    (&["**", "!util/docker/web"], "util/docker/web/foo", false),
    (&["**", "!util/docker/web"], "util/docker/webs", true),
    (&["**", "!util/docker/web", "util/docker/web/foo"], "util/docker/web/foo", true),
    (&["**", "!dist/*.whl"], "dist/p-2.4.0+g08.whl", false), (&["**", "!dist/*.whl"], "dist/p.zip", true),
    (&["*", "!src", "!go.mod"], "src/a/b.go", false), (&["*", "!src", "!go.mod"], "go.mod", false),
    (&["*", "!src", "!go.mod"], "go.sum", true), (&["*", "!src/**/*.go"], "src/a/b.go", false),
    (&["*", "!src/**/*.go"], "src/b.go", false), (&["*", "!src/**/*.go"], "src/b.c", true),
    (&["*", "!**/*.go"], "a/b/c.go", false), (&["a", "!a/b", "a/b/c"], "a/b/c/d", true),
    (&["a", "!a/b", "a/b/c", "!a/b/c/d"], "a/b/c/d", false),
    (&["**/*.log", "!keep.log"], "keep.log", false), (&["**/*.log", "!keep.log"], "a/keep.log", true),
    (&["!!a", "*"], "!a", true), (&["*", "!!a"], "!a", false), (&["\\!a"], "!a", true),
    // A rule that could change nothing at a directory is not remembered for what is below.
    (&["foo*", "!foo/bar", "foo"], "foo/bar", false), (&["foo*", "!foo/bar", "foo"], "foo/baz", true),
    (&["foo", "!foo", "foo/bar"], "foo/bar", true), (&["foo", "!foo", "foo/bar"], "foo/baz", false),
];

fn drops(rules: &[&str], path: &str) -> bool {
    let ignore = Ignore::parse("table", rules.join("\n")).unwrap();
    ignore.verdict(Path::new(path), false) != Verdict::Keep
}

#[test]
fn one_rule() {
    let wrong: Vec<_> = ONE_RULE
        .iter()
        .filter(|(rule, path, expected)| drops(&[rule], path) != *expected)
        .collect();
    assert_eq!(wrong, Vec::<&(&str, &str, bool)>::new());
}

#[test]
fn several_rules() {
    let wrong: Vec<_> =
        RULES.iter().filter(|(rules, path, expected)| drops(rules, path) != *expected).collect();
    assert_eq!(wrong, Vec::<&(&[&str], &str, bool)>::new());
}
