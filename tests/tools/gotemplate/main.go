// Gotemplate renders templates as the Go operator does, for tests that compare with it.
//
// It reads one case a line, {"id": 1, "template": BASE64, "data": {"key": BASE64}}, and answers each with one line:
// {"id": 1, "output": BASE64}, {"id": 1, "phase": "parse" or "exec", "error": TEXT}, or {"id": 1, "skip": REASON} when the
// case takes Go too long or too much memory. After the last of these the program ends, for nothing else stops what it
// began; whoever runs it starts it again for the rest.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"text/template"
	"time"
)

const (
	longestRender = 3 * time.Second
	longestOutput = 8 << 20
	// Bytes in use by the whole process.
	mostMemory = 1 << 30
	// Bytes of stack, on which a map that contains itself is printed without end.
	mostStack = 256 << 20
)

type request struct {
	ID       int               `json:"id"`
	Template []byte            `json:"template"`
	Data     map[string][]byte `json:"data"`
}

type answer struct {
	ID     int     `json:"id"`
	Output *[]byte `json:"output,omitempty"`
	Phase  string  `json:"phase,omitempty"`
	Error  string  `json:"error,omitempty"`
	Skip   string  `json:"skip,omitempty"`
}

func main() {
	debug.SetMaxStack(mostStack)
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "gotemplate:", err)
		os.Exit(1)
	}
}

func serve() error {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	table := functions()
	for {
		line, err := in.ReadBytes('\n')
		if len(line) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		var asked request
		if err := json.Unmarshal(line, &asked); err != nil {
			return err
		}
		given := watched(&asked, table)
		text, err := json.Marshal(given)
		if err != nil {
			return err
		}
		out.Write(append(text, '\n'))
		// The answers before a crash must have left, and so must the last one of a batch.
		if err := out.Flush(); err != nil {
			return err
		}
		if given.Skip != "" {
			os.Exit(0)
		}
	}
}

// watched renders and gives up on what takes too much.
func watched(asked *request, table template.FuncMap) answer {
	done := make(chan answer, 1)
	go func() { done <- render(asked, table) }()
	began := time.Now()
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for {
		select {
		case given := <-done:
			return given
		case <-ticks.C:
			if time.Since(began) > longestRender {
				return answer{ID: asked.ID, Skip: "takes too long"}
			}
			if resident() > mostMemory {
				return answer{ID: asked.ID, Skip: "takes too much memory"}
			}
		}
	}
}

func render(asked *request, table template.FuncMap) (given answer) {
	given.ID = asked.ID
	// A panic that text/template does not turn into an error is none to compare.
	defer func() {
		if reason := recover(); reason != nil {
			given = answer{ID: asked.ID, Skip: fmt.Sprint("panics: ", reason)}
		}
	}()
	parsed, err := template.New("k").Option("missingkey=error").Funcs(table).Parse(string(asked.Template))
	if err != nil {
		given.Phase, given.Error = "parse", err.Error()
		return given
	}
	data := map[string]string{}
	for key, value := range asked.Data {
		data[key] = string(value)
	}
	var out bounded
	if err := parsed.Execute(&out, data); err != nil {
		if errors.Is(err, errTooLong) {
			given.Skip = errTooLong.Error()
			return given
		}
		given.Phase, given.Error = "exec", err.Error()
		return given
	}
	text := out.Bytes()
	if text == nil {
		text = []byte{}
	}
	given.Output = &text
	return given
}

var errTooLong = errors.New("writes too much")

type bounded struct{ bytes.Buffer }

func (b *bounded) Write(text []byte) (int, error) {
	if b.Len()+len(text) > longestOutput {
		return 0, errTooLong
	}
	return b.Buffer.Write(text)
}

// resident is the memory of this process in bytes, or 0 where the system does not tell.
func resident() int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1])
	return pages * os.Getpagesize()
}
