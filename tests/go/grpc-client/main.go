// A default Go gRPC client, as the kubelet and crictl are: it grows its flow-control windows while a stream runs.
// Usage: grpc-client SOCKET METHOD REQUEST-HEX AUTHORITY. Prints the number of messages, their bytes, the first one in hex when it is short, and the status.
// Built in GOPATH mode against Debian's golang-google-grpc-dev.
package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// bytesCodec passes messages as they are: no generated code is needed.
type bytesCodec struct{}

func (bytesCodec) Marshal(v interface{}) ([]byte, error) { return *v.(*[]byte), nil }

func (bytesCodec) Unmarshal(data []byte, v interface{}) error {
	*v.(*[]byte) = data
	return nil
}

func (bytesCodec) Name() string { return "bytes" }

func (bytesCodec) String() string { return "bytes" }

func main() {
	request, err := hex.DecodeString(os.Args[3])
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", os.Args[1])
	}
	conn, err := grpc.DialContext(ctx, os.Args[4], grpc.WithInsecure(), grpc.WithContextDialer(dial), grpc.WithBlock())
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, os.Args[2], grpc.ForceCodec(bytesCodec{}))
	if err == nil {
		err = stream.SendMsg(&request)
	}
	if err == nil {
		err = stream.CloseSend()
	}
	messages, size, first := 0, 0, ""
	for err == nil {
		var message []byte
		if err = stream.RecvMsg(&message); err == nil {
			if messages == 0 && len(message) <= 1024 {
				first = hex.EncodeToString(message)
			}
			messages++
			size += len(message)
		}
	}
	if err == io.EOF {
		err = nil
	}
	fmt.Printf("%d %d %q %s %q\n", messages, size, first, status.Code(err), status.Convert(err).Message())
}
