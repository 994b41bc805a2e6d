use super::*;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
    app:x:1000:1001:An app:/home/app:/bin/sh\n\
    broken:x:none:0::/:/bin/sh\n\
    42:x:7:7::/seven:/bin/sh\n\
    bare:x:9:9\n";
const GROUP: &str = "root:x:0:\nstaff:x:50:root,app\napp:x:1001:\nwheel:x:10:app\n";

fn found(text: &str) -> Result<(u32, u32, Vec<u32>, String), String> {
    resolve(text, PASSWD, GROUP)
        .map(|user| (user.uid, user.gid, user.groups, user.home))
        .map_err(|failure| failure.to_string())
}

#[test]
fn users_are_found_by_name_and_number() {
    let root = Ok((0, 0, vec![50], "/root".to_owned()));
    assert_eq!(found(""), root);
    assert_eq!(found("root"), root);
    assert_eq!(found("0"), root);
    assert_eq!(found("app"), Ok((1000, 1001, vec![10, 50], "/home/app".to_owned())));
    assert_eq!(found("1000"), found("app"));
    assert_eq!(found("2000"), Ok((2000, 0, vec![], "/".to_owned())));
    assert_eq!(found("bare"), Ok((9, 9, vec![], "/".to_owned())));
    // A name wins over a number.
    assert_eq!(found("42"), Ok((7, 7, vec![], "/seven".to_owned())));
}

#[test]
fn a_group_that_is_given_is_the_only_one() {
    assert_eq!(found("app:staff"), Ok((1000, 50, vec![], "/home/app".to_owned())));
    assert_eq!(found("app:77"), Ok((1000, 77, vec![], "/home/app".to_owned())));
    assert_eq!(found("app:"), found("app"));
    assert_eq!(found(":staff"), Ok((0, 50, vec![], "/root".to_owned())));
}

#[test]
fn unknown_names_are_named() {
    assert_eq!(found("nobody"), Err("the image's /etc/passwd has no user `nobody`".to_owned()));
    assert_eq!(found("app:no"), Err("the image's /etc/group has no group `no`".to_owned()));
    assert_eq!(found("broken"), Err("the image's /etc/passwd has no user `broken`".to_owned()));
    assert_eq!(found("-1"), Err("the image's /etc/passwd has no user `-1`".to_owned()));
}

#[test]
fn root_is_known_where_nobody_is() {
    for (text, gid) in [("root", 0), ("root:root", 0), ("root:50", 50)] {
        let user = resolve(text, "", "").unwrap();
        assert_eq!((user.uid, user.gid, user.home.as_str()), (0, gid, "/"), "{text}");
    }
    assert!(resolve("root:staff", "", "").is_err());
}
