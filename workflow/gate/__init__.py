"""What is decided: verdict, requests, history."""
