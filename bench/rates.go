package main

import "context"

func rateTable(context.Context, *bench) (*section, error) { return nil, nil }
