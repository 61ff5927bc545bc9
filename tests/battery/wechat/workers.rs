//! Work that is done several times at once, each on a thread that may wait.

use harness::Result;
use tokio::runtime::Handle;

use crate::row::Run;

/// Does the work of every worker at once; a failure of one is a violation.
pub fn at_once(run: &Run, workers: usize, work: impl Fn(usize, &Handle) -> Result<()> + Sync) {
    let handle = Handle::current();
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            for worker in 0..workers {
                let (work, handle) = (&work, handle.clone());
                scope.spawn(move || {
                    if let Err(failure) = work(worker, &handle) {
                        run.violated(format!("worker {worker}: {failure}"));
                    }
                });
            }
        });
    });
}
