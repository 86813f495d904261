// Plays the story with the Go SDK's client: `go run . URL`.
//
// Writes one JSON line a step. Writes "kill" when the server is to be killed, and reads a line when
// that is done.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func step(name string, ok bool, note string) {
	line, _ := json.Marshal(map[string]any{"step": name, "ok": ok, "note": note})
	fmt.Println(string(line))
}

type story struct {
	session *mcp.ClientSession
	mutex   sync.Mutex
	seen    []int
	third   chan struct{}
}

func (s *story) chapters() []int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]int{}, s.seen...)
}

func (s *story) call(name string, arguments map[string]any) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	params := &mcp.CallToolParams{Name: name, Arguments: arguments}
	params.SetProgressToken("progress")
	result, err := s.session.CallTool(ctx, params)
	if err != nil {
		return "", err
	}
	var texts []string
	for _, content := range result.Content {
		if text, ok := content.(*mcp.TextContent); ok {
			texts = append(texts, text.Text)
		}
	}
	return strings.Join(texts, "\n"), nil
}

func main() {
	s := &story{third: make(chan struct{}, 100)}
	client := mcp.NewClient(&mcp.Implementation{Name: "story", Version: "1.0.0"}, &mcp.ClientOptions{
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"sure": true}}, nil
		},
		ProgressNotificationHandler: func(_ context.Context, request *mcp.ProgressNotificationClientRequest) {
			s.mutex.Lock()
			defer s.mutex.Unlock()
			s.seen = append(s.seen, int(request.Params.Progress))
			if request.Params.Progress == 3 {
				s.third <- struct{}{}
			}
		},
	})
	session, err := client.Connect(context.Background(), &mcp.StreamableClientTransport{Endpoint: os.Args[1]}, nil)
	step("initialize", err == nil, fmt.Sprint(err))
	if err != nil {
		os.Exit(1)
	}
	s.session = session

	text, err := s.call("add_note", map[string]any{"text": "buy milk"})
	step("call", text == "1 note", fmt.Sprint(err))
	_, err = s.call("read_book", map[string]any{"chapters": 3, "delayMs": 50})
	step("progress", fmt.Sprint(s.chapters()) == "[1 2 3]", fmt.Sprint(s.chapters(), err))
	text, err = s.call("clear_notes", map[string]any{})
	step("elicitation", text == "The notes were removed", fmt.Sprint(text, err))
	_, _ = s.call("add_note", map[string]any{"text": "call Ada"})

	<-s.third
	s.seen = nil
	book := map[string]any{"chapters": 10, "delayMs": 100}
	done := make(chan error)
	go func() {
		_, err := s.call("read_book", book)
		done <- err
	}()
	<-s.third
	fmt.Println("kill")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	began := time.Now()
	err = <-done
	before := s.chapters()
	note := fmt.Sprintf("%v after %.1f s, chapters %v", err, time.Since(began).Seconds(), before)
	step("kill -9 and resume", err != nil && strings.Contains(err.Error(), "was interrupted"), note)

	_, err = s.call("read_book", book)
	rest := s.chapters()[len(before):]
	step("the call goes on", err == nil && len(rest) > 0 && rest[len(rest)-1] == 10, fmt.Sprint(rest, err))
	text, err = s.call("list_notes", map[string]any{})
	step("state", text == "call Ada", fmt.Sprint(text, err))
	text, err = s.call("clear_notes", map[string]any{})
	step("elicitation after the kill", text == "The notes were removed", fmt.Sprint(text, err))
	err = session.Close()
	step("close", err == nil, fmt.Sprint(err))
}
