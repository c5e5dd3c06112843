// Goroutines, timers, locks, files, a recovered nil dereference, garbage collection.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

func main() {
	var group sync.WaitGroup
	var mutex sync.Mutex
	count := 0
	for i := 0; i < 200; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			time.Sleep(time.Millisecond)
			garbage := make([]byte, 1<<16)
			mutex.Lock()
			count += len(garbage) >> 16
			mutex.Unlock()
		}()
	}
	group.Wait()
	runtime.GC()
	fmt.Println("count", count)

	spinning := true
	go func() {
		for spinning {
		}
	}()
	time.Sleep(30 * time.Millisecond)
	runtime.GC() // needs to preempt the spinning goroutine with a signal
	fmt.Println("preempted")

	ticks := 0
	ticker := time.NewTicker(2 * time.Millisecond)
	for range ticker.C {
		if ticks++; ticks == 5 {
			break
		}
	}
	fmt.Println("ticks", ticks)
	_, err := os.ReadFile("/nonexistent")
	fmt.Println(err)
	defer func() {
		fmt.Println("recovered", recover())
		os.Exit(7)
	}()
	var pointer *int
	fmt.Println(*pointer)
}
