// A Go program: goroutines, channels, time, files, and a recovered nil-pointer panic.
//
//	$ (cd examples/go && CGO_ENABLED=0 go build -o ../../target/go-example .)
//	$ cargo libos image target/go-example -o target/go-example.libos
//	$ libos-tender run target/go-example.libos
//	goroutines: 1000 of them summed to 499500
//	channel: squares 0 1 4 9 16
//	time: the timer fired after the sleep began
//	file: read back "written by Go"
//	directory: [note.txt]
//	error: no such file or directory
//	panic: runtime error: invalid memory address or nil pointer dereference
//	garbage collector: ran
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

func main() {
	goroutines()
	channel()
	timer()
	files()
	nilPointer()
	collect()
}

func goroutines() {
	var wait sync.WaitGroup
	var lock sync.Mutex
	sum := 0
	for i := 0; i < 1000; i++ {
		wait.Add(1)
		go func(number int) {
			defer wait.Done()
			runtime.Gosched()
			lock.Lock()
			sum += number
			lock.Unlock()
		}(i)
	}
	wait.Wait()
	fmt.Println("goroutines: 1000 of them summed to", sum)
}

func channel() {
	squares := make(chan int)
	go func() {
		for i := 0; i < 5; i++ {
			squares <- i * i
		}
		close(squares)
	}()
	fmt.Print("channel: squares")
	for square := range squares {
		fmt.Print(" ", square)
	}
	fmt.Println()
}

func timer() {
	start := time.Now()
	fired := <-time.After(5 * time.Millisecond)
	if fired.Sub(start) >= 5*time.Millisecond {
		fmt.Println("time: the timer fired after the sleep began")
	}
}

func files() {
	home, err := os.MkdirTemp("", "go-example")
	check(err)
	defer os.RemoveAll(home)
	path := filepath.Join(home, "note.txt")
	check(os.WriteFile(path, []byte("written by Go"), 0o600))
	text, err := os.ReadFile(path)
	check(err)
	fmt.Printf("file: read back %q\n", text)
	entries, err := os.ReadDir(home)
	check(err)
	names := []string{}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	fmt.Println("directory:", names)
	_, err = os.Open(filepath.Join(home, "missing"))
	var number syscall.Errno
	if errors.As(err, &number) {
		fmt.Println("error:", number)
	}
}

// nilPointer shows that a real fault reaches the runtime's SIGSEGV handler and becomes a panic.
func nilPointer() {
	defer func() { fmt.Println("panic:", recover()) }()
	var missing *struct{ value int }
	fmt.Println(missing.value)
}

func collect() {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := 0; i < 100; i++ {
		_ = make([]byte, 1<<20)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if after.NumGC > before.NumGC {
		fmt.Println("garbage collector: ran")
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
