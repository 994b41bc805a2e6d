use super::*;

#[test]
fn ranges_are_found_by_name_and_by_number() {
    let text =
        "# comment\nroot:1:1\nana:100000:65536\nana:300000:10\n1001:500000:0\n1001:600000:7\n";
    assert_eq!(range(text, Some("ana"), 1000), Some(Range { start: 100_000, count: 65_536 }));
    assert_eq!(range(text, None, 1001), Some(Range { start: 600_000, count: 7 }));
    assert_eq!(range(text, Some("bob"), 1002), None);
    assert_eq!(name("root:x:0:0::/:\nana:x:1000:1000::/:\n", 1000), Some("ana"));
    assert_eq!(name("root:x:0:0::/:\n", 1000), None);
}

#[test]
fn all_ids_are_those_of_our_own_namespace() {
    let whole = "         0          0 4294967295\n";
    assert_eq!(identity(whole), (u32::MAX, "0 0 4294967295\n".to_owned()));
    let parts = "0 1000 1\n1 100000 65535\n70000 9 1\n";
    assert_eq!(identity(parts), (65_536, "0 0 1\n1 1 65535\n70000 70000 1\n".to_owned()));
}

#[test]
fn a_single_user_is_explained() {
    let single = Mapping::Single { why: "newuidmap is not installed".to_owned() };
    assert_eq!([single.has(0), single.has(1), Mapping::Root.has(1)], [true, false, true]);
    assert!(single.advice().unwrap().contains("newuidmap is not installed"));
    assert_eq!(Mapping::Full { ids: 65_537, first: (100_000, 100_000) }.advice(), None);
}
