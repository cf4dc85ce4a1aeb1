//! A chat that must lose nothing, on a network that loses its connections: a server and four
//! clients in one simulated world, with partitions and resets, under as many seeds as you like.
//!
//! Run: `cargo run --release -p annulus-examples --example sim_chat [SEEDS] [--bug]`
//!
//! One sees: `1000 seeds, 48000 messages, ...: every client saw every message once, in one order`.
//!
//! With `--bug` the server takes a newcomer in as one easily does: it sends the messages so far,
//! and then lets it listen to the next ones. What is said between the two is lost. On a fast wire
//! that is seldom; here a seed shows it, is named, and shows it again each time that the program
//! runs with `ANNULUS_SEED=<seed>` in its environment.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use annulus::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use annulus::net::{TcpListener, TcpStream};
use annulus::sim::{Fault, Faults, Outcome, Sim, seeds};
use annulus::sync::broadcast;
use annulus::time::{sleep, timeout};

annulus::sim_install!();

const CLIENTS: usize = 4;
/// What each client has to say.
const MESSAGES: usize = 12;
/// A connection on which nothing comes or goes for so long is given up. Without this for writes,
/// both ends may wait for the other to read.
const SILENCE_MAX: Duration = Duration::from_secs(2);

fn main() {
    let mut count = 1000;
    let mut bug = false;
    for argument in std::env::args().skip(1) {
        match argument.parse() {
            Ok(number) => count = number,
            Err(_) if argument == "--bug" => bug = true,
            Err(_) => {
                eprintln!("usage: sim_chat [SEEDS] [--bug], not {argument:?}");
                std::process::exit(2);
            }
        }
    }
    let totals = seeds(count, |sim| chat(sim, bug));
    println!(
        "{count} seeds, {} messages, {} partitions, {} resets, {} connections: every client saw \
         every message once, in one order",
        totals.count("messages"),
        totals.count("partitions"),
        totals.injected(Fault::Reset),
        totals.count("connections"),
    );
}

/// One seed's world.
fn chat(sim: &mut Sim, bug: bool) {
    let mut faults = Faults::none();
    faults.set(Fault::Reset, 10).set(Fault::ShortRead, 100);
    sim.faults(faults);

    let room = Arc::new(Room::new());
    let shared = room.clone();
    sim.host("server", move || serve(shared.clone(), bug));
    for number in 0..CLIENTS {
        sim.client(&name(number), visit(number));
    }

    // Now and then a client is cut off, for longer or shorter than it has patience.
    let mut dice = Dice(sim.seed());
    let mut partitions = 0;
    while !sim.run_for(Duration::from_millis(dice.roll(1000))).unwrap() {
        let client = name(dice.roll(CLIENTS as u64) as usize);
        sim.partition(&client, "server");
        partitions += 1;
        let ended = sim.run_for(Duration::from_millis(dice.roll(4000))).unwrap();
        sim.repair(&client, "server");
        if ended {
            break;
        }
    }

    sim.count("partitions", partitions);
    sim.count("messages", room.lock().log.len() as u64);
    sim.count("connections", room.lock().connections);
}

fn name(number: usize) -> String {
    format!("client{number}")
}

/// Numbers that follow from a seed: a linear congruential generator, Knuth's constants.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        let (factor, step) = (6_364_136_223_846_793_005, 1_442_695_040_888_963_407);
        self.0 = self.0.wrapping_mul(factor).wrapping_add(step);
        (self.0 >> 33) % sides
    }
}

// ---- The server ---------------------------------------------------------------------------

/// What is said, and who listens.
struct Room(Mutex<Inside>);

struct Inside {
    /// Every message, in the one order: `client0 3`.
    log: Vec<String>,
    /// How many messages each client has said.
    said: HashMap<String, usize>,
    /// The number of each new message.
    news: broadcast::Sender<usize>,
    connections: u64,
}

impl Room {
    fn new() -> Room {
        let (news, _) = broadcast::channel(16);
        Room(Mutex::new(Inside {
            log: Vec::new(),
            said: HashMap::new(),
            news,
            connections: 0,
        }))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.0.lock().expect("nobody panics with it")
    }

    /// A message. One that was said before, on a connection that broke, is known already.
    fn say(&self, client: &str, number: usize) {
        let mut inside = self.lock();
        let said = inside.said.entry(client.to_owned()).or_insert(0);
        if *said == number {
            *said += 1;
            inside.log.push(format!("{client} {number}"));
            // Nobody may be listening.
            let _ = inside.news.send(inside.log.len() - 1);
        }
    }

    fn since(&self, seen: usize) -> Vec<String> {
        let inside = self.lock();
        inside.log[seen..].to_vec()
    }
}

async fn serve(room: Arc<Room>, bug: bool) -> Outcome {
    let listener = TcpListener::bind("0.0.0.0:7000").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        room.lock().connections += 1;
        let room = room.clone();
        // What breaks a connection is the client's to mend: it comes back.
        annulus::spawn(async move { attend(stream, &room, bug).await });
    }
}

/// One connection. A client says `client0 SEEN` first, and then its messages by number; it is sent
/// `NUMBER MESSAGE` for each message from SEEN on.
async fn attend(stream: TcpStream, room: &Room, bug: bool) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let hello = lines.next_line().await?.unwrap_or_default();
    let (client, mut seen) = pair(&hello)?;

    let (history, mut news) = if bug {
        let history = room.since(seen);
        for message in &history {
            writer.write_all(line(seen, message).as_bytes()).await?;
            seen += 1;
        }
        (Vec::new(), room.lock().news.subscribe())
    } else {
        // Whatever is said from here on, it listens to.
        let news = room.lock().news.subscribe();
        (room.since(seen), news)
    };
    for message in &history {
        writer.write_all(line(seen, message).as_bytes()).await?;
        seen += 1;
    }
    loop {
        annulus::select! {
            said = lines.next_line() => {
                let Some(said) = said? else { return Ok(()) };
                let number = said.parse().map_err(|_| io::Error::from(ErrorKind::InvalidData))?;
                room.say(client, number);
            }
            number = news.recv() => {
                // One that cannot follow is sent away, and comes back.
                let number = number.map_err(|_| io::Error::from(ErrorKind::TimedOut))?;
                if number >= seen {
                    let message = room.lock().log[number].clone();
                    writer.write_all(line(number, &message).as_bytes()).await?;
                    seen = number + 1;
                }
            }
        }
    }
}

fn line(number: usize, message: &str) -> String {
    format!("{number} {message}\n")
}

/// Two words, of which the second is a number.
fn pair(line: &str) -> io::Result<(&str, usize)> {
    let words = line.split_once(' ');
    let parsed = words.and_then(|(word, number)| Some((word, number.parse().ok()?)));
    parsed.ok_or_else(|| ErrorKind::InvalidData.into())
}

// ---- A client -----------------------------------------------------------------------------

/// What a client knows, whatever becomes of its connections.
struct Memory {
    name: String,
    seen: usize,
    /// How many of its own messages it has seen: it says the next one then.
    own: usize,
}

async fn visit(number: usize) -> Outcome {
    let mut memory = Memory {
        name: name(number),
        seen: 0,
        own: 0,
    };
    while memory.seen < CLIENTS * MESSAGES {
        match timeout(SILENCE_MAX, TcpStream::connect("server:7000")).await {
            Ok(Ok(stream)) => {
                // Broken by a reset, by silence, or because the server sent us away.
                let _ = talk(stream, &mut memory).await;
            }
            Ok(Err(_)) | Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
    Ok(())
}

/// One connection, until it breaks, or until everything was said and seen.
async fn talk(stream: TcpStream, memory: &mut Memory) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let hello = format!("{} {}\n", memory.name, memory.seen);
    timeout(SILENCE_MAX, writer.write_all(hello.as_bytes())).await??;
    let mut said = None;
    while memory.seen < CLIENTS * MESSAGES {
        if memory.own < MESSAGES && said != Some(memory.own) {
            said = Some(memory.own);
            let words = format!("{}\n", memory.own);
            timeout(SILENCE_MAX, writer.write_all(words.as_bytes())).await??;
        }
        let line = timeout(SILENCE_MAX, lines.next_line()).await??;
        let line = line.ok_or(ErrorKind::UnexpectedEof)?;
        let (number, message) = line.split_once(' ').ok_or(ErrorKind::InvalidData)?;
        let number: usize = number.parse().map_err(|_| ErrorKind::InvalidData)?;
        let seen = memory.seen;
        assert!(
            number == seen,
            "{} saw message {number} after {seen} messages",
            memory.name
        );
        memory.seen += 1;
        let (speaker, own) = pair(message)?;
        if speaker == memory.name {
            assert!(
                own == memory.own,
                "{} heard itself say {own} again",
                memory.name
            );
            memory.own += 1;
        }
    }
    Ok(())
}
