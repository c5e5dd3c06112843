//! Rust panics: caught, across threads, in destructors' order, with the lock poisoned; the last one ends
//! the program. Expected status: 101
//! Expected message: the last panic

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex};
use std::thread;

struct Trace<'a>(&'a Mutex<Vec<u32>>, u32);

impl Drop for Trace<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(self.1);
    }
}

fn main() {
    let order = Mutex::new(Vec::new());
    let caught = panic::catch_unwind(AssertUnwindSafe(|| {
        let _first = Trace(&order, 1);
        let _second = Trace(&order, 2);
        panic!("the first panic");
    }));
    assert!(caught.is_err());
    assert_eq!(*order.lock().unwrap(), [2, 1]);

    for _ in 0..100 {
        let shared = Arc::new(Mutex::new(0));
        let held = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let _guard = held.lock().unwrap();
            panic::resume_unwind(Box::new(7_u32));
        });
        assert_eq!(
            *thread.join().unwrap_err().downcast_ref::<u32>().unwrap(),
            7
        );
        assert!(shared.is_poisoned());
    }
    panic!("the last panic");
}
