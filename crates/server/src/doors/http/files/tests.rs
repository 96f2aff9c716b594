//! Files sent over real sockets through hyper, by the kernel and by copy, compared with the files byte for byte.

use std::convert::Infallible;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use axum::extract::Request;
use axum::http::Method;
use headwater_vod::{Blob, FileBlob};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use prometheus_client::metrics::counter::Counter;

use super::answer::{Representation, answer};
use super::body::SendPath;
#[cfg(target_os = "linux")]
use super::disk::is_cached;
use super::plan::{Piece, Plan};
use crate::doors::http::io::Io;
use crate::doors::http::preconditions::Validators;
use crate::doors::http::sendfile::Ranges;
use crate::net::listener::Stream;

const SOON: Duration = Duration::from_secs(20);

/// A file of its own for a test, gone with it.
struct Temporary {
    path: PathBuf,
    file: Arc<File>,
    blob: Arc<dyn Blob>,
}

impl Temporary {
    fn new(bytes: &[u8]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("headwater-files-{}-{number}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        let file = Arc::new(File::open(&path).unwrap());
        let blob = Arc::new(FileBlob::new(File::open(&path).unwrap()).unwrap());
        Self { path, file, blob }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What lies in the midst of a file, as parts of a window do.
#[derive(Debug)]
struct Within {
    file: Arc<File>,
    start: u64,
    len: u64,
}

impl Blob for Within {
    fn size(&self) -> u64 {
        self.len
    }

    fn modified(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn etag(&self) -> &'static str {
        "\"within\""
    }

    fn read_at_hand(&self, bytes: &mut [u8], offset: u64) -> usize {
        headwater_vod::read_at_hand(&self.file, bytes, self.start + offset)
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
        headwater_vod::read_exact_at(&self.file, bytes, self.start + offset)
    }

    fn in_file(&self) -> Option<(&Arc<File>, u64)> {
        Some((&self.file, self.start))
    }
}

/// Bytes that are nowhere the same for long.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// What a server under test offers, and how it sends.
struct Served {
    address: SocketAddr,
    kernel: Counter,
    copied: Counter,
}

/// Serves a plan to everybody who connects.
fn serve(plan: Plan, by_kernel: bool) -> Served {
    let (kernel, copied) = (Counter::default(), Counter::default());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let served =
        Served { address: listener.local_addr().unwrap(), kernel: kernel.clone(), copied: copied.clone() };
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                socket.set_nodelay(true).unwrap();
                let stream = Stream::Tcp(socket);
                let ranges = by_kernel.then(|| Ranges::of(&stream, kernel.clone())).flatten();
                let io = TokioIo::new(Io::new(stream, bytes::Bytes::new(), ranges.clone(), Arc::default()));
                let (plan, copied) = (plan.clone(), copied.clone());
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let path = SendPath { kernel: ranges.clone(), copied: copied.clone() };
                    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
                    let validators = Validators { etag: "\"tag\"".to_owned(), modified };
                    let plan = plan.clone();
                    let representation = Representation {
                        plan,
                        content_type: "video/mp4",
                        validators,
                        download: None,
                        may_pause: false,
                    };
                    let response = answer(request.method(), request.headers(), representation, path);
                    async move { Ok::<_, Infallible>(response) }
                });
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service));
            }
        });
    });
    served
}

fn whole(file: &Temporary, len: u64) -> Plan {
    let mut plan = Plan::default();
    plan.push(Piece::Range { blob: Arc::clone(&file.blob), offset: 0, len });
    plan
}

/// One connection, kept alive.
struct Client(TcpStream);

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

impl Client {
    fn connect(served: &Served) -> Self {
        let socket = TcpStream::connect(served.address).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        Self(socket)
    }

    fn send(&mut self, method: &Method, fields: &str) {
        // In one piece: small ones wait for each other.
        let request = format!("{method} /film HTTP/1.1\r\nHost: here\r\n{fields}\r\n");
        self.0.write_all(request.as_bytes()).unwrap();
    }

    fn head(&mut self) -> Answer {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            self.0.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        Answer { status: head[9..12].parse().unwrap(), head, body: Vec::new() }
    }

    fn receive(&mut self, has_body: bool) -> Answer {
        let mut answer = self.head();
        let len = answer.field("content-length").map_or(0, |len| len.parse().unwrap());
        answer.body = vec![0; if has_body { len } else { 0 }];
        self.0.read_exact(&mut answer.body).unwrap();
        answer
    }

    fn get(&mut self, fields: &str) -> Answer {
        self.send(&Method::GET, fields);
        self.receive(true)
    }
}

/// `[bytes][file][bytes][file]` with pieces of every size that is sent in a way of its own.
fn mixed(file: &Temporary, bytes: &[u8]) -> (Plan, Vec<u8>) {
    let (mut plan, mut expected) = (Plan::default(), Vec::new());
    let mut at = 0;
    for (number, len) in [3usize, 40_000, 1, 500_000, 31_000, 2_500_000, 300, 65_536].into_iter().enumerate()
    {
        let text = bytes::Bytes::from(format!("<{number}>"));
        expected.extend_from_slice(&text);
        plan.push(Piece::Bytes(text));
        expected.extend_from_slice(&bytes[at..at + len]);
        plan.push(Piece::Range { blob: Arc::clone(&file.blob), offset: at as u64, len: len as u64 });
        at += len;
    }
    (plan, expected)
}

/// Ranges with nothing between them in the plan, of a file and of another that has its bytes backwards: each with the gap before it,
/// which is negative where it goes back. Every other is of a blob that lies in the midst of its file.
fn runs(bytes: &[u8]) -> ([Temporary; 2], Plan, Vec<u8>) {
    let backwards: Vec<u8> = bytes.iter().rev().copied().collect();
    let files = [Temporary::new(bytes), Temporary::new(&backwards)];
    let (mut plan, mut expected) = (Plan::default(), Vec::new());
    let mut at = 0i64;
    let ranges = [
        (0, 0i64, 40_000usize),
        (0, 4_000, 17_000),
        (0, 0, 16_384),
        (0, 3_000, 16_383),
        (0, 9_000, 500_000),
        (0, 400_000, 300_000),
        (0, 100_000, 1_200_000),
        (0, 5, 30_000),
        (1, 5, 30_000),
        (1, -60_000, 50_000),
        (1, -50_000, 50_000),
        (0, 0, 700_000),
    ];
    for (number, (which, gap, len)) in ranges.into_iter().enumerate() {
        at += gap;
        expected.extend_from_slice(&[bytes, &backwards][which][at as usize..][..len]);
        let (offset, len) = (at as u64, len as u64);
        let start = (number as u64 % 2) * (offset / 2);
        let within = Within { file: Arc::clone(&files[which].file), start, len: offset - start + len };
        plan.push(Piece::Range { blob: Arc::new(within), offset: offset - start, len });
        at += len as i64;
    }
    (files, plan, expected)
}

#[test]
fn any_range_is_as_in_the_plan_on_one_connection() {
    let bytes = noise(4_000_000);
    let file = Temporary::new(&bytes);
    // What is short is copied.
    let (plan, expected) = mixed(&file, &bytes);
    any_range_of(&plan, &expected, 40_000 + 500_000 + 31_000 + 2_500_000 + 65_536);
    let (_files, plan, expected) = runs(&bytes);
    any_range_of(&plan, &expected, expected.len() as u64 - 16_383);
}

fn any_range_of(plan: &Plan, expected: &[u8], whole_by_kernel: u64) {
    for by_kernel in [true, false] {
        let served = serve(plan.clone(), by_kernel);
        let mut client = Client::connect(&served);
        let answer = client.get("");
        assert_eq!((answer.status, answer.field("accept-ranges")), (200, Some("bytes")));
        assert!(answer.body == *expected, "the whole differs");
        if cfg!(target_os = "linux") {
            assert_eq!(served.kernel.get(), if by_kernel { whole_by_kernel } else { 0 });
        }
        let random = noise(800);
        let (places, _) = random.as_chunks::<8>();
        for place in places {
            let [a, b, c, d, e, f, g, _] = *place;
            let start = u32::from_be_bytes([0, a, b, c]) as usize % expected.len();
            let len = (u32::from_be_bytes([0, d, e, f]) as usize >> (g % 24)).max(1);
            let end = (start + len).min(expected.len());
            let answer = client.get(&format!("Range: bytes={start}-{}\r\n", end - 1));
            assert_eq!(answer.status, 206);
            let said = format!("bytes {start}-{}/{}", end - 1, expected.len());
            assert_eq!(answer.field("content-range"), Some(said.as_str()));
            assert!(answer.body == expected[start..end], "{start}..{end} differs");
        }
        assert!(served.copied.get() > 0);
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let bytes = noise(3_000_000);
    let file = Temporary::new(&bytes);
    let served = serve(whole(&file, 3_000_000), true);
    let mut client = Client::connect(&served);
    let mut ranges = Vec::new();
    for number in 0..40usize {
        let start = number * 70_001;
        let end = start + (number % 7) * 40_000;
        client.send(&Method::GET, &format!("Range: bytes={start}-{end}\r\n"));
        client.send(&Method::HEAD, "");
        ranges.push(start..end.min(2_999_999) + 1);
    }
    for range in ranges {
        assert!(client.receive(true).body == bytes[range.clone()], "{range:?} differs");
        let head = client.receive(false);
        assert_eq!((head.status, head.field("content-length")), (200, Some("3000000")));
    }
    if cfg!(target_os = "linux") {
        assert!(served.kernel.get() > 4_000_000, "{} by the kernel", served.kernel.get());
        assert_eq!(served.copied.get(), 6, "one byte at a time");
    }
}

#[test]
fn a_slow_reader_gets_everything() {
    let bytes = noise(6_000_000);
    let file = Temporary::new(&bytes);
    let served = serve(whole(&file, 6_000_000), true);
    let mut client = Client::connect(&served);
    client.send(&Method::GET, "");
    client.head();
    let mut taken = Vec::new();
    let mut buffer = vec![0; 100_000];
    while taken.len() < bytes.len() {
        std::thread::sleep(Duration::from_millis(5));
        let count = client.0.read(&mut buffer).unwrap();
        assert!(count > 0, "it ended after {} bytes", taken.len());
        taken.extend_from_slice(&buffer[..count]);
    }
    assert!(taken == bytes);
}

#[test]
fn who_hangs_up_harms_nobody() {
    let bytes = noise(5_000_000);
    let file = Temporary::new(&bytes);
    let served = serve(whole(&file, 5_000_000), true);
    for _ in 0..20 {
        let mut client = Client::connect(&served);
        client.send(&Method::GET, "");
        client.head();
        client.0.shutdown(Shutdown::Both).unwrap();
    }
    assert!(Client::connect(&served).get("").body == bytes);
}

#[test]
fn a_file_that_shrinks_ends_the_connection_and_sends_nothing_else() {
    for by_kernel in [true, false] {
        let bytes = noise(30_000_000);
        let file = Temporary::new(&bytes);
        let served = serve(whole(&file, 30_000_000), by_kernel);
        let mut client = Client::connect(&served);
        client.send(&Method::GET, "");
        client.head();
        std::fs::OpenOptions::new().write(true).open(&file.path).unwrap().set_len(20_000_000).unwrap();
        let mut taken = Vec::new();
        let ended = client.0.read_to_end(&mut taken);
        let timed_out = ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!timed_out, "the connection stays open");
        assert!(taken.len() <= 20_000_000 && taken == bytes[..taken.len()]);
    }
}

#[test]
fn several_ranges_come_in_parts() {
    let bytes = noise(200_000);
    let file = Temporary::new(&bytes);
    let served = serve(whole(&file, 200_000), true);
    let mut client = Client::connect(&served);
    let answer = client.get("Range: bytes=0-9, 100000-149999, -5\r\n");
    assert_eq!(answer.status, 206);
    let content_type = answer.field("content-type").unwrap();
    let boundary = content_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let mut expected = Vec::new();
    for (range, said) in
        [(0..10, "0-9"), (100_000..150_000, "100000-149999"), (199_995..200_000, "199995-199999")]
    {
        let head = format!(
            "\r\n--{boundary}\r\nContent-Type: video/mp4\r\nContent-Range: bytes {said}/200000\r\n\r\n"
        );
        expected.extend_from_slice(head.as_bytes());
        expected.extend_from_slice(&bytes[range]);
    }
    expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    assert!(answer.body == expected);
}

#[test]
fn conditions_and_impossible_ranges() {
    let bytes = noise(1000);
    let file = Temporary::new(&bytes);
    let served = serve(whole(&file, 1000), true);
    let mut client = Client::connect(&served);
    let cases = [
        ("Range: bytes=1000-\r\n", 416, 0..0),
        ("If-None-Match: \"tag\"\r\nRange: bytes=0-9\r\n", 304, 0..0),
        ("If-Match: \"other\"\r\n", 412, 0..0),
        ("If-Range: \"tag\"\r\nRange: bytes=5-9\r\n", 206, 5..10),
        ("If-Range: \"old\"\r\nRange: bytes=5-9\r\n", 200, 0..1000),
        ("If-Range: Sun, 09 Sep 2001 01:46:40 GMT\r\nRange: bytes=5-9\r\n", 206, 5..10),
        ("If-Range: Sun, 09 Sep 2001 01:46:41 GMT\r\nRange: bytes=5-9\r\n", 200, 0..1000),
        ("If-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT\r\n", 304, 0..0),
    ];
    for (fields, status, range) in cases {
        client.send(&Method::GET, fields);
        let answer = client.receive(status != 304);
        assert_eq!((answer.status, answer.field("etag")), (status, Some("\"tag\"")), "{fields}");
        assert_eq!(answer.field("last-modified"), Some("Sun, 09 Sep 2001 01:46:40 GMT"));
        match status {
            416 => assert_eq!(answer.field("content-range"), Some("bytes */1000")),
            200 | 206 => assert_eq!(answer.body, bytes[range], "{fields}"),
            _ => assert!(answer.body.is_empty()),
        }
    }
}

#[test]
fn bytes_beyond_four_gibibytes() {
    let file = Temporary::new(&[]);
    let far = 5 << 30;
    {
        use std::io::{Seek, SeekFrom};
        let mut writer = std::fs::OpenOptions::new().write(true).open(&file.path).unwrap();
        writer.seek(SeekFrom::Start(far)).unwrap();
        writer.write_all(b"far out").unwrap();
    }
    for by_kernel in [true, false] {
        let served = serve(whole(&file, far + 7), by_kernel);
        let mut client = Client::connect(&served);
        let answer = client.get("Range: bytes=-9\r\n");
        assert_eq!(answer.body, b"\0\0far out");
        let answer = client.get(&format!("Range: bytes={}-{}\r\n", far + 1, far + 3));
        assert_eq!(answer.field("content-range"), Some("bytes 5368709121-5368709123/5368709127"));
        assert_eq!(answer.body, b"ar ");
    }
}

/// Bytes that are no file: as those of an object store would be.
#[derive(Debug)]
struct Elsewhere(Vec<u8>);

impl Blob for Elsewhere {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn modified(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn etag(&self) -> &'static str {
        "\"tag\""
    }

    fn read_at_hand(&self, _: &mut [u8], _: u64) -> usize {
        0
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
        let rest = self.0.get(offset as usize..).unwrap_or_default();
        bytes.copy_from_slice(rest.get(..bytes.len()).ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

#[test]
fn bytes_that_are_no_file_are_copied() {
    let bytes = noise(3_000_000);
    let mut plan = Plan::default();
    plan.push(Piece::Range { blob: Arc::new(Elsewhere(bytes.clone())), offset: 0, len: 3_000_000 });
    let served = serve(plan, true);
    let mut client = Client::connect(&served);
    assert!(client.get("").body == bytes);
    assert!(client.get("Range: bytes=1000000-1999999\r\n").body == bytes[1_000_000..2_000_000]);
    assert_eq!((served.kernel.get(), served.copied.get()), (0, 4_000_000));
}

/// The system may keep it in memory all the same; then this is as the others.
#[cfg(target_os = "linux")]
#[test]
fn what_is_not_in_memory_is_read_first() {
    let bytes = noise(5_000_000);
    let ([file, other], in_runs, expected_in_runs) = runs(&bytes);
    for (plan, expected) in [(whole(&file, 5_000_000), bytes), (in_runs, expected_in_runs)] {
        for by_kernel in [true, false] {
            let served = serve(plan.clone(), by_kernel);
            let mut client = Client::connect(&served);
            for range in [0..expected.len(), 1_900_000..1_900_010, 1_000_000..1_100_000] {
                for file in [&file.file, &other.file] {
                    file.sync_all().unwrap();
                    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
                }
                let answer = client.get(&format!("Range: bytes={}-{}\r\n", range.start, range.end - 1));
                assert!(answer.body == expected[range.clone()], "{range:?} differs");
            }
        }
    }
}

/// The sound beside a picture was read, and with it the pages that both share.
#[cfg(target_os = "linux")]
#[test]
fn what_a_neighbour_has_brought_into_memory_tells_nothing() {
    use rustix::fs::{Advice, fadvise};
    let file = Temporary::new(&noise(1_000_000));
    let picture = 100_100..900_100;
    let mut byte = [0];
    let can_tell = headwater_vod::read_at_hand(&file.file, &mut byte, 0) == 1;
    file.file.sync_all().unwrap();
    fadvise(&file.file, 0, None, Advice::DontNeed).unwrap();
    // A page at a time, and no more.
    fadvise(&file.file, 0, None, Advice::Random).unwrap();
    headwater_vod::read_exact_at(&file.file, &mut byte, picture.start - 1).unwrap();
    headwater_vod::read_exact_at(&file.file, &mut byte, picture.end).unwrap();
    let is_there = headwater_vod::read_at_hand(&file.file, &mut byte, 500_000) == 1;
    // Not every file system says what it has, or lets go of what it is asked to.
    assert!(!can_tell || is_there || !is_cached(&file.file, std::slice::from_ref(&picture)));
    headwater_vod::read_exact_at(&file.file, &mut vec![0; 1_000_000], 0).unwrap();
    assert!(is_cached(&file.file, std::slice::from_ref(&picture)), "all of it was read");
}
