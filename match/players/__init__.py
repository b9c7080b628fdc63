"""Who can sit at the board: our net, UCI engines, built-in movers, populations of them."""
