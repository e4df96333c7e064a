package main

// ownFiles does nothing: under Windows a file has the rights of its folder, and a user's configuration folder is hers
// alone.
func ownFiles() {}
