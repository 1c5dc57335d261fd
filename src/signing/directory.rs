//! The key directory: who may read it, how two processes agree in it, and how a key gets onto the disk for good.

use std::{
    fs::{DirBuilder, File, Metadata, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::error::{DIRECTORY_MODE_MAX, KeyFault, KeyringError};
use crate::domain::text::Kid;

/// More than any key has: an RSA key of 4096 bits takes 3,300 bytes.
const FILE_BYTES_MAX: usize = 32_768;
/// The permission bits that a file of the key directory may have.
const OWN_FILE_MODE_MAX: u32 = 0o600;
/// The same of a key file from elsewhere: Kubernetes mounts secrets for the group of the process, mode 0440.
const FOREIGN_FILE_MODE_MAX: u32 = 0o640;

/// A directory that only its owner can look into.
#[derive(Debug, Clone)]
pub(super) struct KeyDirectory(PathBuf);

impl KeyDirectory {
    /// Takes the directory if nobody else can get into it, or makes it.
    pub(super) fn open(path: &Path) -> Result<Self, KeyringError> {
        if !path.try_exists().map_err(failed("look for", path))? {
            make_directory(path)?;
        }
        let metadata = path.metadata().map_err(failed("look at", path))?;
        if !metadata.is_dir() {
            return Err(KeyringError::NotADirectory { path: path.to_owned() });
        }
        check_owner(path, &metadata, rustix::process::geteuid().as_raw())?;
        check_mode(path, &metadata, DIRECTORY_MODE_MAX)?;
        Ok(Self(path.to_owned()))
    }

    /// Its key files, by name.
    pub(super) fn key_files(&self) -> Result<Vec<PathBuf>, KeyringError> {
        let entries =
            self.0.read_dir().and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(failed("list", &self.0))?;
        let mut files: Vec<PathBuf> =
            entries.into_iter().map(|entry| entry.path()).filter(|path| is_pem(path)).collect();
        files.sort();
        Ok(files)
    }

    /// Waits until no other process makes a key here. The lock ends with the file.
    pub(super) fn lock(&self) -> Result<File, KeyringError> {
        let path = self.0.join(".lock");
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(OWN_FILE_MODE_MAX);
        let file = options.open(&path).map_err(failed("open", &path))?;
        file.lock().map_err(failed("lock", &path))?;
        Ok(file)
    }

    /// Writes `<kid>.pem`, whole or not at all, and durably. Only under the lock.
    pub(super) fn store(&self, kid: &Kid, pem: &str) -> Result<PathBuf, KeyringError> {
        let (path, unfinished) = (self.0.join(format!("{kid}.pem")), self.0.join(".unfinished"));
        // Left by a crash. Under the lock nobody else can be writing it.
        if let Err(error) = std::fs::remove_file(&unfinished)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(failed("remove", &unfinished)(error));
        }
        write_new(&unfinished, pem).map_err(failed("write", &unfinished))?;
        std::fs::rename(&unfinished, &path).map_err(failed("create", &path))?;
        sync_directory(&self.0).map_err(failed("sync", &self.0))?;
        Ok(path)
    }
}

/// Reads a file of the key directory.
pub(super) fn read_own(path: &Path) -> Result<Zeroizing<String>, KeyringError> {
    let (file, metadata) = open(path)?;
    check_owner(path, &metadata, rustix::process::geteuid().as_raw())?;
    check_mode(path, &metadata, OWN_FILE_MODE_MAX)?;
    read(path, file)
}

/// Reads a private key file, or one of another secret, from elsewhere, whoever owns it.
///
/// # Errors
/// [`KeyringError`], also for a file that others can open.
pub fn read_private(path: &Path) -> Result<Zeroizing<String>, KeyringError> {
    let (file, metadata) = open(path)?;
    check_mode(path, &metadata, FOREIGN_FILE_MODE_MAX)?;
    read(path, file)
}

/// Reads a public key file.
pub(super) fn read_public(path: &Path) -> Result<Zeroizing<String>, KeyringError> {
    let (file, _) = open(path)?;
    read(path, file)
}

/// Opens first and looks afterwards, at what was opened: nobody can swap the file in between.
fn open(path: &Path) -> Result<(File, Metadata), KeyringError> {
    let file = File::open(path).map_err(failed("open", path))?;
    let metadata = file.metadata().map_err(failed("look at", path))?;
    if metadata.is_dir() {
        return Err(KeyringError::IsADirectory { path: path.to_owned() });
    }
    Ok((file, metadata))
}

fn read(path: &Path, file: File) -> Result<Zeroizing<String>, KeyringError> {
    let broken = |fault| KeyringError::Broken { path: path.to_owned(), fault };
    // Room for everything at once: a buffer that grows leaves a copy behind that nobody overwrites.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * FILE_BYTES_MAX));
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed("read", path))?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(broken(KeyFault::TooLong { max: FILE_BYTES_MAX }));
    }
    let text = str::from_utf8(&bytes).map_err(|_| broken(KeyFault::Damaged))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWN_FILE_MODE_MAX).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn make_directory(path: &Path) -> Result<(), KeyringError> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE_MAX).create(path).map_err(failed("create", path))?;
    match path.parent() {
        Some(parent) if parent != Path::new("") => sync_directory(parent).map_err(failed("sync", parent)),
        _ => Ok(()),
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn is_pem(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "pem")
}

fn check_owner(path: &Path, metadata: &Metadata, user: u32) -> Result<(), KeyringError> {
    match metadata.uid() {
        owner if owner == user => Ok(()),
        owner => Err(KeyringError::NotOurs { path: path.to_owned(), owner, user }),
    }
}

fn check_mode(path: &Path, metadata: &Metadata, mode_max: u32) -> Result<(), KeyringError> {
    let mode = metadata.mode() & 0o777;
    // What the owner may do is the owner's affair.
    if mode & 0o077 & !mode_max != 0 {
        return Err(KeyringError::Exposed { path: path.to_owned(), mode, mode_max });
    }
    Ok(())
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyringError {
    let path = path.to_owned();
    move |source| KeyringError::Io { doing, path, source }
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().expect("metadata").mode() & 0o7777
    }

    #[test]
    fn a_directory_that_is_missing_is_made_for_its_owner_alone() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("catalog").join("keys");

        KeyDirectory::open(&path).expect("made");

        assert_eq!(mode(&path), 0o700);
        KeyDirectory::open(&path).expect("taken");
    }

    #[test]
    fn a_directory_that_others_get_into_is_refused_with_a_hint() {
        let home = tempfile::tempdir().expect("a directory");
        for open_to_others in [0o701, 0o710, 0o702, 0o755, 0o777] {
            set_mode(home.path(), open_to_others);

            let error = KeyDirectory::open(home.path()).expect_err("exposed");

            assert!(matches!(error, KeyringError::Exposed { mode, .. } if mode == open_to_others), "{error}");
            assert!(error.hint().is_some_and(|hint| hint.contains("chmod 700")), "{error}");
        }
        for private in [0o700, 0o500] {
            set_mode(home.path(), private);
            assert!(KeyDirectory::open(home.path()).is_ok());
        }
    }

    #[test]
    fn a_file_is_no_directory_and_another_users_is_not_ours() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let metadata = file.path().metadata().expect("metadata");

        let error = KeyDirectory::open(file.path()).expect_err("a file");
        let other = check_owner(file.path(), &metadata, metadata.uid() + 1).expect_err("another user");

        assert!(matches!(error, KeyringError::NotADirectory { .. }), "{error}");
        assert!(matches!(other, KeyringError::NotOurs { .. }) && other.hint().is_some(), "{other}");
        assert!(check_owner(file.path(), &metadata, metadata.uid()).is_ok());
    }

    #[test]
    fn files_that_others_read_are_refused_and_a_mounted_secret_may_be_read_by_its_group() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let refused = |mode, read: fn(&Path) -> Result<Zeroizing<String>, KeyringError>| {
            set_mode(file.path(), mode);
            matches!(read(file.path()), Err(KeyringError::Exposed { .. }))
        };

        for (mode, own, private) in [
            (0o600, false, false),
            (0o400, false, false),
            (0o640, true, false),
            (0o440, true, false),
            (0o660, true, true),
            (0o604, true, true),
            (0o644, true, true),
            (0o602, true, true),
        ] {
            assert_eq!(refused(mode, read_own), own, "{mode:o}");
            assert_eq!(refused(mode, read_private), private, "{mode:o}");
            assert!(!refused(mode, read_public), "{mode:o}");
        }
    }

    #[test]
    fn a_link_is_as_good_as_what_it_leads_to() {
        let home = tempfile::tempdir().expect("a directory");
        let (file, link) = (home.path().join("file"), home.path().join("link"));
        std::fs::write(&file, "text").expect("written");
        std::os::unix::fs::symlink(&file, &link).expect("linked");

        for read in [read_own, read_private] {
            set_mode(&file, 0o600);
            // Kubernetes mounts each secret as a link.
            assert!(read(&link).is_ok());
            set_mode(&file, 0o644);
            assert!(matches!(read(&link), Err(KeyringError::Exposed { .. })));
        }
        std::fs::remove_file(&file).expect("removed");
        let nowhere = read_own(&link).expect_err("leads nowhere");
        assert!(matches!(nowhere, KeyringError::Io { doing: "open", .. }), "{nowhere}");
        assert!(KeyDirectory::open(&link).is_err() && !file.exists());

        std::fs::create_dir(&file).expect("made");
        set_mode(&file, 0o755);
        let exposed = KeyDirectory::open(&link).expect_err("exposed");
        assert!(matches!(exposed, KeyringError::Exposed { .. }), "{exposed}");
    }

    #[test]
    fn a_directory_is_no_key_file() {
        let home = tempfile::tempdir().expect("a directory");
        let directory = home.path().join("name.pem");
        std::fs::create_dir(&directory).expect("made");

        for mode in [0o600, 0o755] {
            set_mode(&directory, mode);
            for read in [read_own, read_private, read_public] {
                let error = read(&directory).expect_err("a directory");
                assert!(matches!(error, KeyringError::IsADirectory { .. }) && !error.is_exposure(), "{error}");
            }
        }
    }

    #[test]
    fn a_stored_key_is_for_its_owner_alone_and_leaves_nothing_behind() {
        let home = tempfile::tempdir().expect("a directory");
        set_mode(home.path(), 0o700);
        let directory = KeyDirectory::open(home.path()).expect("taken");
        std::fs::write(home.path().join(".unfinished"), "of a crash").expect("written");

        let path = directory.store(&Kid::parse("name").expect("a kid"), "text").expect("stored");

        assert_eq!((mode(&path), std::fs::read_to_string(&path).expect("read")), (0o600, "text".to_owned()));
        assert_eq!(home.path().read_dir().expect("list").count(), 1);
        assert_eq!(directory.key_files().expect("list"), [path]);
    }

    #[test]
    fn a_file_of_any_length_costs_a_bounded_read() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "x".repeat(FILE_BYTES_MAX)).expect("written");
        assert!(read_own(file.path()).is_ok());

        std::fs::write(file.path(), "x".repeat(FILE_BYTES_MAX + 1)).expect("written");
        let too_long = read_own(file.path()).expect_err("too long");
        std::fs::write(file.path(), [0xff, 0xfe]).expect("written");
        let binary = read_own(file.path()).expect_err("not text");

        assert!(matches!(too_long, KeyringError::Broken { fault: KeyFault::TooLong { .. }, .. }), "{too_long}");
        assert!(matches!(binary, KeyringError::Broken { fault: KeyFault::Damaged, .. }), "{binary}");
    }
}
