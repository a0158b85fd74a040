// tests/bench/peer_go/sql.go: SELECT 1 from 50 goroutines, by Go's own MySQL driver.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"sync"

	_ "github.com/go-sql-driver/mysql"
)

const sqlThreads = 50

func selectOne() {
	each := count(1000)
	db, err := sql.Open("mysql", fmt.Sprintf("%s:%s@unix(%s)/%s", os.Getenv("MARIADB_USER"),
		os.Getenv("MARIADB_PASSWORD"), os.Getenv("MARIADB_SOCKET"), os.Getenv("MARIADB_DATABASE")))
	if err != nil {
		fail(err)
	}
	var connections []*sql.Conn
	for i := 0; i < sqlThreads; i++ {
		c, err := db.Conn(context.Background())
		if err != nil {
			fail(err)
		}
		connections = append(connections, c)
	}
	var all sync.WaitGroup
	all.Add(sqlThreads)
	began := cpu()
	for _, c := range connections {
		go func(c *sql.Conn) {
			defer all.Done()
			for i := 0; i < each; i++ {
				var one int
				if err := c.QueryRowContext(context.Background(), "SELECT 1").Scan(&one); err != nil || one != 1 {
					fail(err)
				}
			}
		}(c)
	}
	all.Wait()
	report("sql-select-1", float64(cpu()-began)/float64(sqlThreads*each)/1e3, "us")
}
