// An HTTP server on Go's net/http, which finishes its open requests when SIGTERM asks it to stop.
//
// The argument is the address to listen on, 0.0.0.0:8080 unless given; port 0 picks a free one.
//
//	$ (cd examples/go-http && CGO_ENABLED=0 go build -o ../../target/go-http .)
//	$ cargo libos image target/go-http -o target/go-http.libos
//	$ libos-tender run --net user -p 8080:8080 target/go-http.libos
//	listening on 0.0.0.0:8080
//	SIGTERM: finishing the open requests
//	stopped
//
// Meanwhile, on the host:
//
//	$ examples/go-http/client.sh 127.0.0.1 8080
//	Hello from a goroutine!
//	you sent: some text
//	1000000 bytes
//	not found: 404
//	slept for 100 ms
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	address := "0.0.0.0:8080"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	listener, err := net.Listen("tcp", address)
	check(err)
	server := &http.Server{Handler: routes(), ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error)
	go func() { stopped <- stopOnTerminate(server) }()
	fmt.Println("listening on", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		check(err)
	}
	check(<-stopped)
	fmt.Println("stopped")
}

func routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		if request.URL.Path != "/" {
			http.NotFound(answer, request)
			return
		}
		fmt.Fprintln(answer, "Hello from a goroutine!")
	})
	mux.HandleFunc("/echo", func(answer http.ResponseWriter, request *http.Request) {
		io.Copy(answer, request.Body)
	})
	mux.HandleFunc("/bytes/", func(answer http.ResponseWriter, request *http.Request) {
		const most = 64 << 20
		if count := number(answer, request, "/bytes/"); count >= 0 && count <= most {
			io.Copy(answer, io.LimitReader(alphabet{}, int64(count)))
		}
	})
	mux.HandleFunc("/slow/", func(answer http.ResponseWriter, request *http.Request) {
		if ms := number(answer, request, "/slow/"); ms >= 0 && ms <= 10_000 {
			time.Sleep(time.Duration(ms) * time.Millisecond)
			fmt.Fprintln(answer, "slept for", ms, "ms")
		}
	})
	return mux
}

// number is what follows the prefix in the path, or -1 after it has refused the request.
func number(answer http.ResponseWriter, request *http.Request, prefix string) int {
	value, err := strconv.Atoi(strings.TrimPrefix(request.URL.Path, prefix))
	if err != nil || value < 0 {
		http.Error(answer, "expected a number", http.StatusBadRequest)
		return -1
	}
	return value
}

// alphabet is an endless reader of letters.
type alphabet struct{}

func (alphabet) Read(buffer []byte) (int, error) {
	for i := range buffer {
		buffer[i] = 'a' + byte(i%26)
	}
	return len(buffer), nil
}

func stopOnTerminate(server *http.Server) error {
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	<-terminate
	fmt.Println("SIGTERM: finishing the open requests")
	limit, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	return server.Shutdown(limit)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
