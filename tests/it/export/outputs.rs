//! Where an export goes: what is no file is written into, a link is followed, and a file that somebody writes is left to him.

use std::{fs, os::unix::fs::symlink};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::support::Site;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_stays_what_it_is_and_a_link_stays_one() {
    let site = Site::new().await;
    site.admin();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let exported = site.cli(&["audit", "export"]).good() + "\n";

    let pipe = path("pipe");
    mknodat(CWD, &*pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    site.cli(&["audit", "export", "-o", &pipe]).good();
    assert_eq!(reader.join().unwrap(), exported);

    let (link, target) = (path("link"), path("target"));
    fs::write(&target, "old").unwrap();
    symlink("target", &link).unwrap();
    site.cli(&["audit", "export", "-o", &link]).good();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&target).unwrap(), exported);

    let nowhere = path("nowhere");
    symlink("gone", &nowhere).unwrap();
    for (output, why) in
        [("/dev/full", "No space left"), (directory.path().to_str().unwrap(), "directory"), (&nowhere, "")]
    {
        let refused = site.cli(&["audit", "export", "-o", output]).bad(2);
        assert!(refused.contains(output) && refused.contains(why), "{refused}");
    }
    assert!(fs::symlink_metadata(&nowhere).unwrap().is_symlink());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 4, "nothing is left beside");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_another_export_goes_on_with_is_not_taken_from_it() {
    let site = Site::new().await;
    site.admin();
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("log.ndjson");
    fs::write(&output, "theirs").unwrap();
    let theirs = fs::File::open(&output).unwrap();
    theirs.lock().unwrap();

    for command in [&["audit", "export"][..], &["audit", "report"]] {
        let refused = site.cli(&[command, &["-o", output.to_str().unwrap()]].concat()).bad(2);
        assert!(refused.contains("another process is writing it"), "{refused}");
    }
    assert_eq!(fs::read_to_string(&output).unwrap(), "theirs");
    drop(theirs);
    site.cli(&["audit", "export", "-o", output.to_str().unwrap()]).good();
}
