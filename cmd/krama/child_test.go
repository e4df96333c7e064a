package main

func runChild() bool { return false }
