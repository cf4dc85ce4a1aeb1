//! The accept loop works wherever its future is polled: in block_on, in Handle::block_on on a
//! plain thread, and by a foreign executor.

use std::io::{Read, Write};
use std::net::SocketAddr;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::TcpListener;
use annulus_tests::{for_each_runtime, on_a_machine, stress};

annulus::sim_install!();

/// Clients of each place in a full run.
const CLIENTS: u64 = 4000;

const CLIENTS_ARE_THREADS: &str = "its clients are threads";

/// Accepts `count` clients one by one and echoes what each sends.
async fn serve(listener: TcpListener, count: u64) -> u64 {
    let mut bytes = [0; 64];
    for _ in 0..count {
        let (mut stream, _) = listener.accept().await.expect("accepts");
        let read = stream.read(&mut bytes).await.expect("the client writes");
        stream
            .write_all(&bytes[..read])
            .await
            .expect("the client reads");
    }
    count
}

fn client(address: SocketAddr, number: u64) {
    let mut stream = std::net::TcpStream::connect(address).expect("the server listens");
    stream
        .write_all(&number.to_le_bytes())
        .expect("the server reads");
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .expect("the server answers and closes");
    assert_eq!(answer, number.to_le_bytes());
}

/// Runs `place` with a listener's serving future while clients call, which have all been served.
fn with_clients(name: &str, listener: TcpListener, place: impl FnOnce(TcpListener, u64) -> u64) {
    let count = stress(CLIENTS).div_ceil(4);
    let address = listener.local_addr().expect("it is bound");
    std::thread::scope(|scope| {
        scope.spawn(move || (0..count).for_each(|number| client(address, number)));
        assert_eq!(place(listener, count), count);
    });
    println!("{name}: {count} clients served");
}

async fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback binds")
}

#[test]
fn in_block_on() {
    if !on_a_machine(CLIENTS_ARE_THREADS) {
        return;
    }
    for_each_runtime(|name, runtime| {
        let listener = runtime.block_on(bind());
        with_clients(name, listener, |listener, count| {
            runtime.block_on(serve(listener, count))
        });
    });
}

#[test]
fn in_a_task() {
    if !on_a_machine(CLIENTS_ARE_THREADS) {
        return;
    }
    for_each_runtime(|name, runtime| {
        let listener = runtime.block_on(bind());
        with_clients(name, listener, |listener, count| {
            let task = runtime.spawn(serve(listener, count));
            runtime.block_on(task).expect("serving does not panic")
        });
    });
}

#[test]
fn in_handle_block_on_on_a_plain_thread() {
    if !on_a_machine(CLIENTS_ARE_THREADS) {
        return;
    }
    for_each_runtime(|name, runtime| {
        let listener = runtime.block_on(bind());
        let handle = runtime.handle().clone();
        with_clients(name, listener, |listener, count| {
            // A current_thread runtime is driven by Runtime::block_on alone; here it waits for
            // the thread.
            let (done, waiting) = annulus::sync::oneshot::channel();
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    let count = handle.block_on(serve(listener, count));
                    done.send(count).expect("block_on waits");
                });
                runtime
                    .block_on(waiting)
                    .expect("the thread does not panic")
            })
        });
    });
}

#[test]
fn polled_by_a_foreign_executor() {
    if !on_a_machine(CLIENTS_ARE_THREADS) {
        return;
    }
    for_each_runtime(|name, runtime| {
        let listener = runtime.block_on(bind());
        with_clients(name, listener, |listener, count| {
            let (done, waiting) = annulus::sync::oneshot::channel();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    // The accepted streams belong to the runtime in context.
                    let _context = runtime.enter();
                    let count = futures::executor::block_on(serve(listener, count));
                    done.send(count).expect("block_on waits");
                });
                runtime
                    .block_on(waiting)
                    .expect("the thread does not panic")
            })
        });
    });
}

#[test]
fn polled_by_a_foreign_executor_on_the_thread_that_built_a_multi_thread_runtime() {
    if !on_a_machine(CLIENTS_ARE_THREADS) {
        return;
    }
    for_each_runtime(|name, runtime| {
        if !name.starts_with("multi_thread") {
            return;
        }
        let listener = runtime.block_on(bind());
        with_clients(name, listener, |listener, count| {
            let _context = runtime.enter();
            futures::executor::block_on(serve(listener, count))
        });
    });
}
