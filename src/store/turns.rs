//! Work on every core of which the end has its order: each piece is worked at by itself, and taken when it is its turn.

use std::{
    num::NonZeroUsize,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use tokio::sync::mpsc;

use super::StoreError;

/// What pieces are taken into, one after the other. Whoever waits for a turn sleeps: to look again and again whether there is
/// something to do takes the processor from whoever sends the pieces.
struct Order<S> {
    taken: Mutex<Taken<S>>,
    moved: Condvar,
}

struct Taken<S> {
    state: S,
    /// Whose turn it is.
    turn: u64,
    /// Why it does not go on.
    failed: Option<StoreError>,
}

/// The turn of a piece. If it is let go without being taken, nobody waits for it: then it does not go on.
pub(super) struct Turn<'a, S> {
    order: &'a Order<S>,
    number: u64,
    is_taken: bool,
}

impl<S> Order<S> {
    fn lock(&self) -> MutexGuard<'_, Taken<S>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Turn<'_, S> {
    /// Takes the piece once all before it are taken, unless one of them failed.
    pub(super) fn take(mut self, take: impl FnOnce(&mut S) -> Result<(), StoreError>) {
        let is_another = |taken: &mut Taken<S>| taken.turn != self.number && taken.failed.is_none();
        let taken = self.order.moved.wait_while(self.order.lock(), is_another);
        let mut taken = taken.unwrap_or_else(PoisonError::into_inner);
        if taken.failed.is_none() {
            taken.failed = take(&mut taken.state).err();
        }
        taken.turn += 1;
        self.is_taken = true;
    }
}

impl<S> Drop for Turn<'_, S> {
    fn drop(&mut self) {
        if !self.is_taken {
            self.order.lock().failed.get_or_insert(sqlx::Error::WorkerCrashed.into());
        }
        self.order.moved.notify_all();
    }
}

/// More than these would wait for each other.
const THREADS_MAX: usize = 8;

/// Has pieces worked at by a thread for each core, up to [`THREADS_MAX`], and one more, since one of them waits for its turn most
/// of the time. It blocks, and returns once no more pieces can come.
///
/// # Errors
/// The first that came of taking a piece. Each thread learns of it with the next piece, or when there are no more; they are let
/// go.
pub(super) fn in_turns<S: Send, P: Send>(
    state: S,
    pieces: mpsc::Receiver<P>,
    work: impl Fn(P, Turn<'_, S>) + Sync,
) -> Result<S, StoreError> {
    let order = Order { taken: Mutex::new(Taken { state, turn: 0, failed: None }), moved: Condvar::new() };
    let pieces = Mutex::new((pieces, 0));
    let next = || {
        let mut pieces = pieces.lock().unwrap_or_else(PoisonError::into_inner);
        let piece = pieces.0.blocking_recv().filter(|_| order.lock().failed.is_none())?;
        let number = pieces.1;
        pieces.1 += 1;
        Some((piece, Turn { order: &order, number, is_taken: false }))
    };
    let on_and_on = || {
        while let Some((piece, turn)) = next() {
            work(piece, turn);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZeroUsize::get).min(THREADS_MAX) {
            // Where there can be no more, those that there are do all of it.
            let _ = thread::Builder::new().spawn_scoped(scope, on_and_on);
        }
        on_and_on();
    });
    let Taken { state, failed, .. } = order.taken.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.map_or(Ok(state), Err)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn pieces(count: u64) -> mpsc::Receiver<u64> {
        let (sender, receiver) = mpsc::channel(usize::try_from(count).unwrap());
        (0..count).for_each(|piece| sender.try_send(piece).unwrap());
        receiver
    }

    #[test]
    fn pieces_are_taken_in_the_order_in_which_they_came_however_long_each_was_worked_at() {
        let taken = in_turns(Vec::new(), pieces(1_000), |piece, turn| {
            for _ in 0..piece % 7 {
                thread::yield_now();
            }
            turn.take(|taken| {
                taken.push(piece);
                Ok(())
            });
        });

        assert_eq!(taken.unwrap(), (0..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_is_taken_after_the_first_that_fails() {
        let most = Mutex::new(0);
        let taken = in_turns((), pieces(1_000), |piece, turn| {
            turn.take(|()| {
                *most.lock().unwrap() = piece;
                if piece < 500 { Ok(()) } else { Err(StoreError::UnreadableEvent { position: 500, source: broken() }) }
            });
        });

        assert!(matches!(taken, Err(StoreError::UnreadableEvent { position: 500, .. })));
        assert_eq!(*most.lock().unwrap(), 500);
    }

    #[test]
    fn nobody_waits_for_a_piece_that_is_let_go_or_whose_worker_panicked() {
        let taken = in_turns((), pieces(1_000), |piece, turn| {
            if piece != 500 {
                turn.take(|()| Ok(()));
            }
        });
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            in_turns((), pieces(1_000), |piece, turn| turn.take(|()| if piece < 500 { Ok(()) } else { panic!() }))
        }));

        assert!(matches!(taken, Err(StoreError::Unavailable(sqlx::Error::WorkerCrashed))), "{taken:?}");
        assert!(panicked.is_err());
    }

    fn broken() -> super::super::codec::CodecError {
        serde_json::from_str::<u8>("").unwrap_err().into()
    }
}
