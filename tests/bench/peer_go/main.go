// tests/bench/peer_go/main.go WORK: the same work in Go; prints "metric value unit" lines (measure.h).
//
// One processor (GOMAXPROCS=1), but for the works where a native thread takes part. A goroutine that is locked to
// its thread stands for the native thread; a channel is the way from it to the others.
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const pause = 150 * time.Microsecond

func count(full int) int {
	if os.Getenv("BENCH_QUICK") == "" {
		return full
	}
	if full < 100 {
		return 1
	}
	return full / 100
}

func clock(id uintptr) int64 {
	var ts syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

func cpu() int64 { return clock(2) } // CLOCK_PROCESS_CPUTIME_ID

func report(metric string, value float64, unit string) {
	fmt.Printf("%s %.3f %s\n", metric, value, unit)
}

func fail(why interface{}) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}

func toOtherCore() {
	core, err := strconv.Atoi(os.Getenv("BENCH_OTHER_CORE"))
	if err != nil {
		return
	}
	var set [16]uint64
	set[core/64] = 1 << (core % 64)
	syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(set), uintptr(unsafe.Pointer(&set)))
}

func percentiles(samples []int64, p50, p99 string, per float64, unit string) {
	sort.Slice(samples, func(i, j int) bool { return samples[i] < samples[j] })
	report(p50, float64(samples[len(samples)/2])/per, unit)
	report(p99, float64(samples[len(samples)*99/100])/per, unit)
}

func yieldAmong(threads, each int) float64 {
	var all sync.WaitGroup
	all.Add(threads)
	for i := 0; i < threads; i++ {
		go func() {
			for n := 0; n < each; n++ {
				runtime.Gosched()
			}
			all.Done()
		}()
	}
	began := cpu()
	all.Wait()
	return float64(cpu()-began) / float64(threads*each)
}

func spawnJoin() {
	n := count(1000000)
	began := cpu()
	for i := 0; i < n; i++ {
		var one sync.WaitGroup
		one.Add(1)
		go one.Done()
		one.Wait()
	}
	report("spawn-join", float64(cpu()-began)/float64(n), "ns")
}

// A semaphore is a channel with room in Go.
func semaphore() {
	n := count(1000000)
	ping, pong := make(chan struct{}, 1), make(chan struct{}, 1)
	go func() {
		for i := 0; i < n; i++ {
			<-ping
			pong <- struct{}{}
		}
	}()
	began := cpu()
	for i := 0; i < n; i++ {
		ping <- struct{}{}
		<-pong
	}
	report("semaphore", float64(cpu()-began)/float64(2*n), "ns")
}

func channel() {
	n := count(1000000)
	items := make(chan int)
	go func() {
		for i := 0; i < n; i++ {
			items <- i
		}
	}()
	began := cpu()
	for i := 0; i < n; i++ {
		if <-items != i {
			fail("channel: an item came out of order")
		}
	}
	report("channel", float64(cpu()-began)/float64(n), "ns")
}

//go:noinline
func touchFrame() byte {
	var frame [1024]byte
	for i := 0; i < len(frame); i += 64 {
		frame[i] = byte(i)
	}
	return frame[64] + frame[960]
}

func sleepers() {
	n := count(100000)
	late := make([]int64, n)
	unit := time.Microsecond
	if os.Getenv("BENCH_QUICK") != "" {
		unit /= 20
	}
	var all sync.WaitGroup
	all.Add(n)
	began := cpu()
	for i := 0; i < n; i++ {
		go func(i int) {
			touchFrame()
			nap := time.Duration(1+i*2654435761%1000000) * unit
			start := time.Now()
			time.Sleep(nap)
			late[i] = int64(time.Since(start) - nap)
			all.Done()
		}(i)
	}
	all.Wait()
	report("sleepers-cpu", float64(cpu()-began)/1e6, "ms")
	early := 0
	for _, ns := range late {
		if ns < 0 {
			early++
		}
	}
	report("sleepers-early", float64(early), "count")
	percentiles(late, "sleepers-late-p50", "sleepers-late-p99", 1e6, "ms")
}

func memory() (resident, tables float64) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		fail(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		kb, _ := strconv.ParseFloat(words[1], 64)
		switch words[0] {
		case "VmRSS:":
			resident = kb * 1024
		case "VmPTE:":
			tables = kb * 1024
		}
	}
	return
}

func parked() {
	n := count(100000)
	debug.SetGCPercent(-1) // what is collected meanwhile would be taken off the goroutines
	resident, tables := memory()
	for i := 0; i < n; i++ {
		go func() {
			touchFrame()
			time.Sleep(time.Hour)
		}()
	}
	time.Sleep(100 * time.Millisecond)
	r, t := memory()
	report("parked-resident", (r-resident)/float64(n), "B")
	report("parked-tables", (t-tables)/float64(n), "B")
}

func echoServer() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	report("port", float64(listener.Addr().(*net.TCPAddr).Port), "")
	for {
		c, err := listener.Accept()
		if err != nil {
			fail(err)
		}
		go func() {
			defer c.Close()
			data := make([]byte, 4096)
			for {
				n, err := c.Read(data)
				if err != nil {
					return
				}
				if _, err := c.Write(data[:n]); err != nil {
					return
				}
			}
		}()
	}
}

// The native thread: a goroutine with a thread and a core of its own.
func produce(n int, gap time.Duration, items chan<- int64) {
	runtime.GOMAXPROCS(2)
	go func() {
		runtime.LockOSThread()
		toOtherCore()
		for i := 0; i < n; i++ {
			if gap > 0 {
				ts := syscall.NsecToTimespec(int64(gap))
				syscall.Nanosleep(&ts, nil)
				items <- clock(1)
			} else {
				items <- int64(i)
			}
		}
	}()
}

func queueBurst() {
	n := count(1000000)
	items := make(chan int64, 65536)
	began := time.Now()
	produce(n, 0, items)
	for i := 0; i < n; i++ {
		if <-items != int64(i) {
			fail("an item was lost, came twice or out of order")
		}
	}
	report("queue-burst", float64(time.Since(began))/float64(n), "ns")
}

func oneAtATime(p50, p99 string) {
	n := count(4000)
	items := make(chan int64, 1024)
	samples := make([]int64, 0, n)
	produce(n, pause, items)
	for len(samples) < n {
		pushed := <-items
		samples = append(samples, clock(1)-pushed)
	}
	percentiles(samples, p50, p99, 1e3, "us")
}

func queueSpin() {
	go func() {
		for {
			runtime.Gosched()
		}
	}()
	oneAtATime("queue-spin-p50", "queue-spin-p99")
}

func executeTrue() {
	n := count(300)
	began := time.Now()
	for i := 0; i < n; i++ {
		if err := exec.Command("true").Run(); err != nil {
			fail(err)
		}
	}
	report("execute-true", float64(time.Since(began))/float64(n)/1e3, "us")
}

func main() {
	runtime.GOMAXPROCS(1)
	works := map[string]func(){
		"yield-2": func() { report("yield-2", yieldAmong(2, count(2000000)), "ns") },
		"yield-10000": func() {
			yieldAmong(10000, 1)
			report("yield-10000", yieldAmong(10000, count(200)), "ns")
		},
		"spawn-join":   spawnJoin,
		"semaphore":    semaphore,
		"channel":      channel,
		"sleepers":     sleepers,
		"parked":       parked,
		"echo-server":  echoServer,
		"queue-burst":  queueBurst,
		"queue-one":    func() { oneAtATime("queue-one-p50", "queue-one-p99") },
		"queue-spin":   queueSpin,
		"sql-select-1": selectOne,
		"execute-true": executeTrue,
	}
	if len(os.Args) != 2 || works[os.Args[1]] == nil {
		os.Exit(64)
	}
	works[os.Args[1]]()
}
