"""Questions about a net's choices: sanity, single boards, where low temperature gains, its dial."""
